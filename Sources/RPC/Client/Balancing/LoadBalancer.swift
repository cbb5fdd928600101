import TollgateKernel

/// How a client spreads its calls over several addresses.
package enum BalancingStrategy: Hashable, Sendable, CaseIterable {
    /// Of two random addresses the one with less latency times calls in flight.
    case leastLatency
    /// One after the other.
    case roundRobin
}

/// Which address a call goes to: a value that knows neither sockets nor a clock.
///
/// Moments are nanoseconds of one monotonic clock. Whoever picks must say how it ended.
struct LoadBalancer {
    /// How a call at an address ended, as far as balancing cares.
    enum Outcome {
        /// The server answered, be it with a failure of the use case.
        case answered
        /// It did not, or only to say that it is overloaded or in no state to begin the call.
        case failed
        /// It cannot be connected to, or is stopping.
        case gone
        /// Nothing can be learned: the caller cancelled.
        case unknown
    }

    private struct Member {
        let address: ServerAddress
        var latency = PeakLatency()
        var inFlight = 0
        var health = AddressHealth()

        /// One that has not answered yet is not fast: it may never answer.
        func load(at now: Int64) -> Double {
            let known = latency.value(at: now)
            let isUnproven = known == 0 && inFlight > 0
            let expected = isUnproven ? Double(Limits.clientFailurePenaltyNanoseconds) : known
            return (expected + 1) * Double(inFlight + 1)
        }
    }

    private let strategy: BalancingStrategy
    private var members: [Member] = []
    private var ring = HashRing()
    private var turn = 0
    /// Somebody probes addresses that were put aside; else they come back when their time is over.
    var isSupervised = false

    init(_ strategy: BalancingStrategy) { self.strategy = strategy }

    /// The addresses, in order.
    var addresses: [ServerAddress] { members.map(\.address) }

    /// Whether an address is in the list.
    func contains(_ address: ServerAddress) -> Bool {
        members.contains { $0.address == address }
    }

    /// Calls at an address now.
    func inFlight(_ address: ServerAddress) -> Int {
        members.first { $0.address == address }?.inFlight ?? 0
    }

    /// Whether an address was put aside.
    func isAbsent(_ address: ServerAddress) -> Bool {
        members.first { $0.address == address }.map { $0.health.absence != nil } ?? true
    }

    /// Takes a new list; what is known about addresses that stay is kept.
    mutating func update(_ addresses: [ServerAddress]) {
        let known = Dictionary(uniqueKeysWithValues: members.map { ($0.address, $0) })
        var seen: Set<ServerAddress> = []
        members = addresses.filter { seen.insert($0).inserted }
            .map { known[$0] ?? Member(address: $0) }
        ring = HashRing(members.map(\.address))
    }

    // MARK: Picking

    /// The address for the next call; nil only if there is none at all.
    ///
    /// Addresses in `avoided` or put aside are taken only if nothing better is left.
    mutating func pick(
        at now: Int64, key: String? = nil, avoiding avoided: [ServerAddress] = [],
        using generator: inout some RandomNumberGenerator
    ) -> ServerAddress? {
        guard !members.isEmpty else { return nil }
        returnUnsupervised(at: now)
        if members.count == 1 {
            // Nothing to choose, and nothing to look through for it.
            members[0].inFlight += 1
            return members[0].address
        }
        let present = members.indices.filter { members[$0].health.absence == nil }
        let fresh = present.filter { !avoided.contains(members[$0].address) }
        let choice: Int
        if !fresh.isEmpty {
            choice = pick(among: fresh, key: key, at: now, using: &generator)
        } else if let absent = leastLongGone(avoiding: avoided) {
            choice = absent
        } else {
            // Each had its attempt: whoever had the last one is not asked again at once.
            let others = present.filter { members[$0].address != avoided.last }
            let rest =
                !others.isEmpty ? others : !present.isEmpty ? present : Array(members.indices)
            choice = pick(among: rest, key: key, at: now, using: &generator)
        }
        members[choice].inFlight += 1
        return members[choice].address
    }

    /// Whether an address that is not put aside is left for a second attempt beside the first.
    mutating func hasSecond(at now: Int64, avoiding avoided: [ServerAddress]) -> Bool {
        returnUnsupervised(at: now)
        let fresh = members.count {
            $0.health.absence == nil && !avoided.contains($0.address)
        }
        // A first attempt that is nowhere yet is about to take one of them.
        return fresh > (avoided.isEmpty ? 1 : 0)
    }

    private func leastLongGone(avoiding avoided: [ServerAddress]) -> Int? {
        members.indices
            .filter {
                members[$0].health.absence != nil && !avoided.contains(members[$0].address)
            }
            .min { members[$0].health.retryAt < members[$1].health.retryAt }
    }

    private mutating func pick(
        among candidates: [Int], key: String?, at now: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Int {
        if let key, let member = hashed(key, among: candidates) { return member }
        switch strategy {
        case .roundRobin:
            turn &+= 1
            return candidates[Int(UInt(bitPattern: turn) % UInt(candidates.count))]
        case .leastLatency:
            guard candidates.count > 1 else { return candidates[0] }
            let first = Int.random(in: 0..<candidates.count, using: &generator)
            let other = Int.random(in: 0..<candidates.count - 1, using: &generator)
            let one = candidates[first]
            let two = candidates[other < first ? other : other + 1]
            return members[one].load(at: now) <= members[two].load(at: now) ? one : two
        }
    }

    /// The key's address, or the next one that has not more than its share (bounded loads, after
    /// Mirrokni, Thorup and Zadimoghaddam).
    private func hashed(_ key: String, among candidates: [Int]) -> Int? {
        let total = candidates.reduce(1) { $0 + members[$1].inFlight }
        let share = Limits.clientHashLoadPercent * total
        let bound = (share + 100 * candidates.count - 1) / (100 * candidates.count)
        return ring.member(for: key) { member in
            candidates.contains(member) && members[member].inFlight < max(bound, 1)
        }
    }

    private mutating func returnUnsupervised(at now: Int64) {
        guard !isSupervised else { return }
        for index in members.indices where members[index].health.isProbeDue(at: now) {
            members[index].health.comeBack(at: now)
        }
    }

    // MARK: Learning

    /// A picked call ended after so many nanoseconds; whether that put its address aside.
    @discardableResult
    mutating func ended(
        _ address: ServerAddress, _ outcome: Outcome, after latency: Int64, at now: Int64,
        using generator: inout some RandomNumberGenerator
    ) -> Bool {
        guard let index = members.firstIndex(where: { $0.address == address }) else {
            return false
        }
        members[index].inFlight = max(0, members[index].inFlight - 1)
        let wasPresent = members[index].health.absence == nil
        switch outcome {
        case .unknown: break
        case .answered:
            members[index].latency.observe(latency, at: now)
            // An answer to a call from before does not bring back what was put aside since.
            if members[index].health.absence == nil { members[index].health.succeeded(at: now) }
        case .failed:
            // Failing fast must not look like being fast.
            let penalty = max(latency, Limits.clientFailurePenaltyNanoseconds)
            members[index].latency.observe(penalty, at: now)
            if members[index].health.failed(), mayEject() {
                leave(index, .ejected, at: now, using: &generator)
            }
        case .gone:
            leave(index, .gone, at: now, using: &generator)
        }
        return wasPresent && members[index].health.absence != nil
    }

    /// A stream that was picked and opened has ended.
    mutating func released(_ address: ServerAddress) {
        guard let index = members.firstIndex(where: { $0.address == address }) else { return }
        members[index].inFlight = max(0, members[index].inFlight - 1)
    }

    /// An opened stream occupies its address until ``released(_:)``.
    mutating func opened(
        _ address: ServerAddress, after latency: Int64, at now: Int64
    ) {
        guard let index = members.firstIndex(where: { $0.address == address }) else { return }
        members[index].latency.observe(latency, at: now)
        if members[index].health.absence == nil { members[index].health.succeeded(at: now) }
    }

    /// Whether one more may be judged: when most fail, the fault is likely elsewhere.
    private func mayEject() -> Bool {
        let ejected = members.count { $0.health.absence == .ejected }
        return (ejected + 1) * 2 <= members.count
    }

    private mutating func leave(
        _ index: Int, _ reason: AddressHealth.Absence, at now: Int64,
        using generator: inout some RandomNumberGenerator
    ) {
        members[index].health.leave(
            reason, at: now, random: Double.random(in: 0...1, using: &generator))
    }

    // MARK: Probes

    /// When the next address is to be probed; nil if none was put aside.
    var nextProbe: Int64? {
        members.filter { $0.health.absence != nil }.map(\.health.retryAt).min()
    }

    /// The addresses whose time is over and that are to be probed now.
    func dueProbes(at now: Int64) -> [ServerAddress] {
        members.filter { $0.health.isProbeDue(at: now) }.map(\.address)
    }

    /// A probe ended: the address comes back, or stays away twice as long.
    mutating func probed(
        _ address: ServerAddress, isWell: Bool, at now: Int64,
        using generator: inout some RandomNumberGenerator
    ) {
        guard let index = members.firstIndex(where: { $0.address == address }),
            let absence = members[index].health.absence
        else { return }
        if isWell {
            members[index].health.comeBack(at: now)
        } else {
            leave(index, absence, at: now, using: &generator)
        }
    }
}
