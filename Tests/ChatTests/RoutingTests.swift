import Chat
import Testing
import TollgateKernel

@Suite("Channels: order and health")
struct RoutingTests {
    private func route(_ channel: String, priority: Int64 = 0, weight: Int64 = 1) -> ChannelRoute {
        ChannelRoute(
            channel: channel, kind: .openAICompatible, baseURL: "http://localhost",
            sealedAPIKey: [],
            upstreamModel: "m", priority: priority, weight: weight)
    }

    private func at(_ milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: 1_700_000_000_000 + milliseconds)
    }

    private func failure(_ kind: ModelGatewayFailure.Kind = .serverError, retryAfter: Int64? = nil)
        -> ModelGatewayFailure
    {
        ModelGatewayFailure(kind, message: "", retryAfterMilliseconds: retryAfter)
    }

    private func broken(at moment: Timestamp) -> ChannelHealth {
        var health = ChannelHealth()
        for _ in 0..<3 { health.recordFailure(failure(), at: moment) }
        return health
    }

    @Test func lowerPrioritiesAreAskedFirst() {
        for random in UInt64(0)..<50 {
            let plan = RoutePlan(
                [route("c", priority: 2), route("a", priority: -1), route("b", priority: 1)],
                health: [:], at: at(0), random: random)
            #expect(plan.candidates.map(\.channel) == ["a", "b", "c"])
            #expect(plan.retryAfterMilliseconds == nil)
        }
    }

    @Test func insideAPriorityTheDrawFollowsTheWeights() {
        let routes = [route("a", weight: 6), route("b", weight: 3), route("c", weight: 1)]
        var first: [String: Int] = [:]
        var second: [String: Int] = [:]
        for random in UInt64(0)..<20_000 {
            let plan = RoutePlan(routes, health: [:], at: at(0), random: random)
            #expect(Set(plan.candidates.map(\.channel)) == ["a", "b", "c"])
            first[plan.candidates[0].channel, default: 0] += 1
            if plan.candidates[0].channel == "a" {
                second[plan.candidates[1].channel, default: 0] += 1
            }
        }
        // Each share within five standard deviations (at most 350 of 20,000).
        #expect(abs((first["a"] ?? 0) - 12_000) < 350)
        #expect(abs((first["b"] ?? 0) - 6_000) < 350)
        #expect(abs((first["c"] ?? 0) - 2_000) < 350)
        // After a, b has three of the four left.
        let share = Double(second["b"] ?? 0) / Double(first["a"] ?? 1)
        #expect(abs(share - 0.75) < 0.02)
    }

    @Test func theSameNumberGivesTheSameOrder() {
        let routes = (0..<8).map { route("\($0)") }
        let plan = RoutePlan(routes, health: [:], at: at(0), random: 42)
        #expect(plan == RoutePlan(routes, health: [:], at: at(0), random: 42))
        #expect(plan != RoutePlan(routes, health: [:], at: at(0), random: 43))
    }

    @Test func weightsOutsideTheirBoundsStillDraw() {
        let routes = [route("a", weight: .max), route("b", weight: 0), route("c", weight: -5)]
        let plan = RoutePlan(routes, health: [:], at: at(0), random: 7)
        #expect(Set(plan.candidates.map(\.channel)) == ["a", "b", "c"])
    }

    @Test func channelsInCoolDownAreLeftOut() {
        let routes = [route("a"), route("b", priority: 1)]
        let plan = RoutePlan(routes, health: ["a": broken(at: at(0))], at: at(1), random: 1)
        #expect(plan.candidates.map(\.channel) == ["b"])
        #expect(plan.retryAfterMilliseconds == nil)
    }

    @Test func withAllChannelsInCoolDownThePlanSaysHowLong() {
        let routes = [route("a"), route("b")]
        let health = ["a": broken(at: at(0)), "b": broken(at: at(400))]
        let plan = RoutePlan(routes, health: health, at: at(500), random: 1)
        #expect(plan.candidates.isEmpty)
        #expect(plan.retryAfterMilliseconds == 500)
        let none = RoutePlan([], health: health, at: at(500), random: 1)
        #expect(none.candidates.isEmpty && none.retryAfterMilliseconds == nil)
    }

    @Test func someFailuresInARowOpenACoolDown() {
        var health = ChannelHealth()
        for _ in 0..<2 {
            health.recordFailure(failure(), at: at(0))
            #expect(health.admits(at: at(0)))
        }
        health.recordSuccess()
        for _ in 0..<2 { health.recordFailure(failure(), at: at(0)) }
        #expect(health.admits(at: at(0)))
        health.recordFailure(failure(), at: at(0))
        #expect(!health.admits(at: at(999)))
        #expect(health.waitMilliseconds(at: at(300)) == 700)
        #expect(health.admits(at: at(1_000)))
    }

    @Test(arguments: [ModelGatewayFailure.Kind.rejectedKey, .overloaded])
    func someFailuresOpenItAtOnce(kind: ModelGatewayFailure.Kind) {
        var health = ChannelHealth()
        health.recordFailure(failure(kind), at: at(0))
        #expect(!health.admits(at: at(999)))
    }

    @Test(arguments: [ModelGatewayFailure.Kind.invalidRequest, .unknownModel])
    func aRefusedRequestOrModelSaysNothingAboutTheChannel(kind: ModelGatewayFailure.Kind) {
        var health = ChannelHealth()
        for _ in 0..<10 { health.recordFailure(failure(kind), at: at(0)) }
        #expect(health == ChannelHealth())
        // Another channel has its own name for the model; what is asked is the same everywhere.
        #expect(failure(kind).allowsFailover == (kind == .unknownModel))
    }

    @Test func whatTheProviderAsksToWaitIsWaitedWithinBounds() {
        var health = ChannelHealth()
        health.recordFailure(failure(.overloaded, retryAfter: 5_000), at: at(0))
        #expect(health.waitMilliseconds(at: at(0)) == 5_000)
        health = ChannelHealth()
        health.recordFailure(failure(.overloaded, retryAfter: .max), at: at(0))
        #expect(health.waitMilliseconds(at: at(0)) == 60_000)
        health = ChannelHealth()
        health.recordFailure(failure(.overloaded, retryAfter: -5), at: at(0))
        #expect(health.waitMilliseconds(at: at(0)) == 1_000)
    }

    @Test func oneProbeGoesThroughAfterTheCoolDown() {
        var health = broken(at: at(0))
        let begun = [999, 1_000, 1_001].map { health.begin(at: at($0)) }
        #expect(begun == [false, true, false])
        #expect(!health.admits(at: at(1_001)))
        health.recordSuccess()
        #expect(health == ChannelHealth())
        let afterwards = [1_002, 1_002].map { health.begin(at: at($0)) }
        #expect(afterwards == [true, true])
    }

    @Test func failedProbesDoubleTheCoolDownUpToItsBound() {
        var health = broken(at: at(0))
        var now = at(0)
        for expected in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            #expect(health.waitMilliseconds(at: now) == Int64(expected))
            now = now.adding(milliseconds: Int64(expected))
            let isBegun = health.begin(at: now)
            #expect(isBegun)
            health.recordFailure(failure(), at: now)
        }
    }

    @Test func callsThatWereUnderWayDoNotLengthenTheCoolDown() {
        var health = broken(at: at(0))
        for _ in 0..<5 { health.recordFailure(failure(), at: at(500)) }
        #expect(health.waitMilliseconds(at: at(500)) == 500)
    }

    @Test func aProbeThatVanishesBlocksTheChannelForABoundedTime() {
        var health = broken(at: at(0))
        let begun = [1_000, 30_999, 31_000].map { health.begin(at: at($0)) }
        #expect(begun == [true, false, true])
    }

    @Test func aProbeThatIsGivenUpMakesRoomForTheNext() {
        var health = broken(at: at(0))
        let first = health.begin(at: at(1_000))
        health.recordAbandoned()
        let second = health.begin(at: at(1_001))
        #expect(first && second)
    }

    @Test func aClockSetBackLocksNoChannelOut() {
        let health = broken(at: at(10_000_000))
        #expect(health.admits(at: at(0)))
    }
}
