import Testing
import TollgateKernel

@testable import TollgateRPC

/// The rules by which calls find their address: no sockets, no clock, seeded randomness.
@Suite struct LoadBalancerTests {
    private let millisecond: Int64 = 1_000_000
    private let second: Int64 = 1_000_000_000

    private func addresses(_ count: Int) -> [ServerAddress] {
        (1...count).map { ServerAddress(host: "10.0.0.\($0)", port: 7_400) }
    }

    private func balancer(_ strategy: BalancingStrategy, _ count: Int) -> LoadBalancer {
        var balancer = LoadBalancer(strategy)
        balancer.update(addresses(count))
        return balancer
    }

    /// Lets an address fail so often, beginning at a moment.
    private func fail(
        _ address: ServerAddress, _ times: Int, at now: Int64, _ balancer: inout LoadBalancer,
        _ random: inout SeededRandom
    ) {
        for _ in 0..<times {
            balancer.ended(address, .failed, after: 1, at: now, using: &random)
        }
    }

    @Test func `a slow server gets fewer calls than each fast one`() throws {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        var balancer = balancer(.leastLatency, 3)
        let slow = addresses(3)[2]
        var counts: [ServerAddress: Int] = [:]
        // Calls that are on their way: when they end, where, and how long they took.
        var running: [(end: Int64, address: ServerAddress, latency: Int64)] = []
        var now: Int64 = 0
        for _ in 0..<20_000 {
            now += Int64.random(in: 50_000...150_000, using: &random)
            for call in running where call.end <= now {
                balancer.ended(
                    call.address, .answered, after: call.latency, at: call.end, using: &random)
            }
            running.removeAll { $0.end <= now }
            let address = try #require(balancer.pick(at: now, using: &random))
            counts[address, default: 0] += 1
            let usual = address == slow ? 20 * millisecond : millisecond
            let latency = Int64.random(in: usual / 2...usual * 3 / 2, using: &random)
            running.append((now + latency, address, latency))
        }
        let fast = addresses(2).map { counts[$0] ?? 0 }
        let given = counts[slow] ?? 0
        #expect(given * 5 < fast.min() ?? 0, "seed \(seed): \(counts)")
        #expect(given > 0, "it is still asked now and then")
        let difference = abs(fast[0] - fast[1])
        #expect(difference * 4 < fast[0] + fast[1], "seed \(seed): \(fast)")
    }

    @Test func `a stream says by its opening how fast its server is`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 2)
        let (slow, fast) = (addresses(2)[0], addresses(2)[1])
        for address in [slow, fast] {
            balancer.opened(address, after: address == slow ? second : millisecond, at: 0)
        }
        for _ in 0..<100 {
            #expect(balancer.pick(at: 1, using: &random) == fast)
            balancer.released(fast)
        }
        #expect(balancer.inFlight(fast) == 0)
    }

    @Test func `of two equally fast servers the one with fewer calls is asked`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 2)
        for address in addresses(2) { balancer.opened(address, after: millisecond, at: 0) }
        for _ in 0..<100 {
            _ = balancer.pick(at: 1, using: &random)
            let loads = addresses(2).map { balancer.inFlight($0) }
            #expect(abs(loads[0] - loads[1]) <= 1)
        }
    }

    @Test func `round robin gives each address its turn`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.roundRobin, 4)
        var counts: [ServerAddress: Int] = [:]
        for step in 0..<400 {
            guard let address = balancer.pick(at: Int64(step), using: &random) else { continue }
            counts[address, default: 0] += 1
            balancer.ended(address, .answered, after: 1, at: Int64(step), using: &random)
        }
        #expect(counts == Dictionary(uniqueKeysWithValues: addresses(4).map { ($0, 100) }))
    }

    @Test(arguments: BalancingStrategy.allCases)
    func `once each address had an attempt, the one that had the last is passed over`(
        strategy: BalancingStrategy
    ) {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(strategy, 2)
        let visited = addresses(2)
        for step in 0..<100 {
            let address = balancer.pick(at: Int64(step), avoiding: visited, using: &random)
            #expect(address == visited[0])
            balancer.ended(visited[0], .answered, after: 1, at: Int64(step), using: &random)
        }
    }

    @Test func `a key keeps its address while others come and go`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 5)
        func places(_ balancer: inout LoadBalancer) -> [String: ServerAddress] {
            var places: [String: ServerAddress] = [:]
            for number in 0..<1_000 {
                let key = "account-\(number)"
                guard let address = balancer.pick(at: 0, key: key, using: &random) else { continue }
                balancer.ended(address, .answered, after: 1, at: 0, using: &random)
                places[key] = address
            }
            return places
        }
        let before = places(&balancer)
        #expect(Set(before.values).count == 5)
        let gone = addresses(5)[1]
        balancer.update(addresses(5).filter { $0 != gone })
        let after = places(&balancer)
        let moved = before.filter { $0.value != gone && after[$0.key] != $0.value }
        #expect(moved.isEmpty)
    }

    @Test func `one key cannot overload its address`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 4)
        for _ in 0..<1_000 { _ = balancer.pick(at: 0, key: "popular", using: &random) }
        let loads = addresses(4).map { balancer.inFlight($0) }
        #expect(loads.reduce(0, +) == 1_000)
        // A quarter above the mean, and one for rounding.
        #expect((loads.max() ?? 0) <= 1_000 / 4 * Limits.clientHashLoadPercent / 100 + 1)
    }

    @Test func `an address that fails in a row is put aside and comes back after a probe`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 3)
        balancer.isSupervised = true
        let bad = addresses(3)[0]
        fail(bad, Limits.clientFailuresBeforeEjection, at: second, &balancer, &random)
        #expect(balancer.isAbsent(bad))
        for _ in 0..<200 {
            guard let address = balancer.pick(at: 2 * second, using: &random) else { continue }
            #expect(address != bad)
            balancer.ended(address, .answered, after: 1, at: 2 * second, using: &random)
        }
        let first = balancer.nextProbe ?? 0
        #expect(balancer.dueProbes(at: first - 1).isEmpty)
        #expect(balancer.dueProbes(at: first) == [bad])
        balancer.probed(bad, isWell: false, at: first, using: &random)
        let next = balancer.nextProbe ?? 0
        #expect(next - first >= Limits.clientAbsenceNanoseconds, "the pause has doubled")
        balancer.probed(bad, isWell: true, at: next, using: &random)
        #expect(!balancer.isAbsent(bad))
    }

    @Test func `clients come back apart, and later each time up to a bound`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        let bad = addresses(2)[0]
        var ends: Set<Int64> = []
        for _ in 0..<100 {
            var balancer = balancer(.leastLatency, 2)
            balancer.isSupervised = true
            balancer.ended(bad, .gone, after: 1, at: 0, using: &random)
            var (began, whole) = (Int64(0), Limits.clientAbsenceNanoseconds)
            for _ in 0..<20 {
                let end = balancer.nextProbe ?? 0
                #expect((whole / 2...whole).contains(end - began))
                if began == 0 { ends.insert(end) }
                balancer.probed(bad, isWell: false, at: end, using: &random)
                (began, whole) = (end, min(whole * 2, Limits.clientAbsenceMaximumNanoseconds))
            }
        }
        #expect(ends.count > 90, "each client has its own moment")
    }

    @Test func `a success in between keeps an address in`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 2)
        let address = addresses(2)[0]
        for _ in 0..<20 {
            fail(
                address, Limits.clientFailuresBeforeEjection - 1, at: second, &balancer, &random)
            balancer.ended(address, .answered, after: 1, at: second, using: &random)
        }
        #expect(!balancer.isAbsent(address))
    }

    @Test(arguments: 1...9) func `at most half are ejected`(count: Int) {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, count)
        for address in addresses(count) { fail(address, 50, at: second, &balancer, &random) }
        #expect(addresses(count).count { balancer.isAbsent($0) } == count / 2)
    }

    @Test func `when all are gone the one whose time is over first is asked`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.leastLatency, 2)
        balancer.isSupervised = true
        for (delay, address) in addresses(2).enumerated() {
            let now = second * Int64(1 + delay)
            balancer.ended(address, .gone, after: 1, at: now, using: &random)
        }
        let soon = balancer.pick(at: 2 * second, using: &random)
        #expect(soon == addresses(2)[0])
        let other = balancer.pick(at: 2 * second, avoiding: [addresses(2)[0]], using: &random)
        #expect(other == addresses(2)[1])
    }

    @Test func `without a supervisor an address comes back when its time is over`() {
        var random = SeededRandom(seed: SeededRandom.seed)
        var balancer = balancer(.roundRobin, 2)
        balancer.ended(addresses(2)[0], .gone, after: 1, at: 0, using: &random)
        _ = balancer.pick(at: 1, using: &random)
        #expect(balancer.isAbsent(addresses(2)[0]))
        _ = balancer.pick(at: Limits.clientAbsenceNanoseconds, using: &random)
        #expect(!balancer.isAbsent(addresses(2)[0]))
    }

    @Test func `ten thousand random steps keep the books`() {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        var balancer = balancer(.leastLatency, 6)
        var running: [ServerAddress] = []
        var now: Int64 = 0
        for _ in 0..<20_000 {
            now += Int64.random(in: 0...200 * millisecond, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let count = Int.random(in: 1...6, using: &random)
                balancer.update(Array(addresses(6).shuffled(using: &random).prefix(count)))
                // Calls at addresses that left are forgotten with them.
                running.removeAll { !balancer.addresses.contains($0) }
                for address in balancer.addresses {
                    let known = running.count { $0 == address }
                    #expect(balancer.inFlight(address) == known, "seed \(seed)")
                }
            case 1:
                for address in balancer.dueProbes(at: now) {
                    let isWell = Bool.random(using: &random)
                    balancer.probed(address, isWell: isWell, at: now, using: &random)
                }
            case 2...5:
                guard !running.isEmpty else { continue }
                let address = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                let outcomes: [LoadBalancer.Outcome] = [.answered, .failed, .gone, .unknown]
                let outcome = outcomes.randomElement(using: &random) ?? .unknown
                balancer.ended(address, outcome, after: millisecond, at: now, using: &random)
            default:
                let key = Bool.random(using: &random) ? "key" : nil
                guard let address = balancer.pick(at: now, key: key, using: &random) else {
                    Issue.record("nobody was picked; seed \(seed)")
                    return
                }
                #expect(balancer.addresses.contains(address), "seed \(seed)")
                running.append(address)
            }
        }
    }
}
