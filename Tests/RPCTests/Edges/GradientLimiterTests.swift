import NIOCore
import Testing

@testable import TollgateRPC

/// A queue before a few workers, played by events on a clock of its own.
private struct SimulatedService {
    /// The calls of one class and what became of them.
    struct Tally {
        var offered = 0
        var admitted = 0
        var refused = 0
    }

    var limiter: GradientLimiter
    var random: SeededRandom
    var workers = 8
    var serviceNanoseconds: Double = 20_000_000
    /// Arrivals a second of each class.
    var rates: [CallPriority: Double] = [:]

    private(set) var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private(set) var tallies: [CallPriority: Tally] = [:]
    private(set) var done = 0
    private(set) var longest = TimeAmount.zero
    private var queue: [NIODeadline] = []
    private var running: [(end: NIODeadline, arrival: NIODeadline)] = []
    private var nextArrivals: [CallPriority: NIODeadline] = [:]

    init(seed: UInt64) {
        var settings = GradientLimiter.Settings()
        settings.minimum = 8
        settings.windowsPerEra = 40
        limiter = GradientLimiter(settings, now: .uptimeNanoseconds(1_000_000_000))
        random = SeededRandom(seed: seed)
    }

    /// How many calls a second the workers can do.
    var capacity: Double { Double(workers) / serviceNanoseconds * 1e9 }

    private mutating func pause(_ mean: Double) -> TimeAmount {
        let uniform = Double.random(in: 1e-9...1, using: &random)
        return .nanoseconds(Int64(-mean * logarithm(uniform)))
    }

    /// Plays so many seconds and forgets the tallies of those before.
    mutating func run(seconds: Int64) {
        tallies = [:]
        done = 0
        longest = .zero
        for (priority, rate) in rates { nextArrivals[priority] = now + pause(1e9 / rate) }
        let end = now + .seconds(seconds)
        while step(before: end) {}
        now = end
    }

    private mutating func step(before end: NIODeadline) -> Bool {
        let arrival = nextArrivals.min { $0.value < $1.value }
        let finish = running.indices.min { running[$0].end < running[$1].end }
        let arrivalTime = arrival?.value ?? .distantFuture
        let finishTime = finish.map { running[$0].end } ?? .distantFuture
        guard min(arrivalTime, finishTime) < end else { return false }
        if let arrival, arrivalTime <= finishTime {
            now = arrivalTime
            arrive(arrival.key)
        } else if let finish {
            now = finishTime
            let call = running.remove(at: finish)
            let latency = now - call.arrival
            longest = max(longest, latency)
            done += 1
            limiter.leave(latency: latency, now: now)
            if !queue.isEmpty { begin(queue.removeFirst()) }
        }
        return true
    }

    private mutating func arrive(_ priority: CallPriority) {
        nextArrivals[priority] = now + pause(1e9 / rates[priority, default: 1])
        tallies[priority, default: Tally()].offered += 1
        guard limiter.enter(priority) else {
            tallies[priority, default: Tally()].refused += 1
            return
        }
        tallies[priority, default: Tally()].admitted += 1
        if running.count < workers { begin(now) } else { queue.append(now) }
    }

    private mutating func begin(_ arrival: NIODeadline) {
        running.append((now + pause(serviceNanoseconds), arrival))
    }
}

/// The natural logarithm of a number up to 1, by its series; no mathematics library is linked here.
private func logarithm(_ value: Double) -> Double {
    // ln(m · 2^e) = ln m + e · ln 2, with m in [1, 2) and the series of the inverse tangent.
    let ratio = (value.significand - 1) / (value.significand + 1)
    var (term, sum) = (ratio, 0.0)
    for odd in stride(from: 1.0, to: 60, by: 2) {
        sum += term / odd
        term *= ratio * ratio
    }
    return 2 * sum + Double(value.exponent) * 0.693_147_180_559_945_3
}

/// The adaptive limit, played against a service with a queue.
struct GradientLimiterTests {
    static let seeds: [UInt64] = [1, 20_260_827]

    @Test(arguments: seeds)
    func `without overload nobody is refused`(seed: UInt64) {
        var service = SimulatedService(seed: seed)
        service.rates = [.normal: service.capacity * 0.6]
        service.run(seconds: 20)
        let tally = service.tallies[.normal] ?? .init()
        #expect(tally.offered > 1_000, "seed \(seed)")
        #expect(tally.refused * 1_000 <= tally.offered, "seed \(seed): \(tally)")
    }

    @Test(arguments: seeds)
    func `under three times the load it converges and the work done does not collapse`(
        seed: UInt64
    ) {
        var service = SimulatedService(seed: seed)
        service.rates = [.normal: service.capacity * 3]
        service.run(seconds: 20)
        for part in 1...2 {
            service.run(seconds: 20)
            let share = Double(service.done) / (service.capacity * 20)
            #expect(share > 0.85, "seed \(seed), part \(part): \(share) of the capacity")
            // 8 run, so the queue is the rest: bounded, and not forgotten after any time.
            #expect(service.limiter.limit <= 100, "seed \(seed): \(service.limiter.limit)")
            #expect(service.longest < .milliseconds(800), "seed \(seed): \(service.longest)")
        }
    }

    @Test(arguments: seeds)
    func `the lowest class is shed first and the highest is not starved`(seed: UInt64) {
        var service = SimulatedService(seed: seed)
        service.rates = [
            .background: service.capacity, .normal: service.capacity * 2,
            .critical: service.capacity * 0.1,
        ]
        service.run(seconds: 20)
        service.run(seconds: 40)
        func refused(_ priority: CallPriority) -> Double {
            let tally = service.tallies[priority] ?? .init()
            return Double(tally.refused) / Double(max(1, tally.offered))
        }
        let (background, normal, high) = (
            refused(.background), refused(.normal), refused(.critical)
        )
        #expect(background > 0.9, "seed \(seed): \(background)")
        #expect(normal > 0.3 && normal < background, "seed \(seed): \(normal)")
        #expect(high < 0.02, "seed \(seed): \(high)")
    }

    @Test(arguments: seeds)
    func `a service that gets slower and fast again is followed both ways`(seed: UInt64) {
        var service = SimulatedService(seed: seed)
        let fast = service.capacity
        service.rates = [.normal: fast * 0.8]
        service.run(seconds: 10)
        service.serviceNanoseconds *= 4
        service.run(seconds: 60)
        #expect(Double(service.done) > service.capacity * 60 * 0.8, "seed \(seed): slow")
        service.serviceNanoseconds /= 4
        service.run(seconds: 20)
        service.run(seconds: 20)
        let tally = service.tallies[.normal] ?? .init()
        #expect(tally.refused * 50 <= tally.offered, "seed \(seed): \(tally)")
    }

    @Test func `each class fills its own part, and one call is always let in`() {
        var settings = GradientLimiter.Settings()
        settings.minimum = 10
        settings.initial = 10
        var limiter = GradientLimiter(settings, now: .now())
        func enter(_ priority: CallPriority) -> Bool { limiter.enter(priority) }
        for _ in 0..<5 { #expect(enter(.background)) }
        #expect(!enter(.background))
        for _ in 0..<5 { #expect(enter(.normal)) }
        #expect(!enter(.normal))
        for _ in 0..<5 { #expect(enter(.critical)) }
        #expect(!enter(.critical))
        settings.minimum = 1
        settings.initial = 1
        limiter = GradientLimiter(settings, now: .now())
        #expect(enter(.background))
    }

    @Test func `unknown numbers are the nearest class`() {
        #expect(CallPriority(wire: nil) == .normal)
        #expect(CallPriority(wire: .min) == .background)
        #expect(CallPriority(wire: .max) == .critical)
    }
}
