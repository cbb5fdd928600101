import NIOCore
import NIOPosix
import Synchronization
import TollgateKernel

/// Carries calls to one of several servers, over one or several connections to each.
///
/// What a server certainly did not begin, because it cannot be reached, is stopping or is in no
/// state to begin it, goes to another one at once: that is no retry, and costs no budget.
package final class ClusterTransport: ClientTransport {
    /// Makes a connection to an address; nothing connects before a call needs it.
    package typealias Connector = @Sendable (ServerAddress) -> any ClientTransport

    private struct Connection {
        let transport: any ClientTransport
        var inFlight = 0
    }

    private struct State {
        var balancer: LoadBalancer
        var generator = SystemRandomNumberGenerator()
        var pools: [ServerAddress: [Connection]] = [:]
        /// Connections to addresses that left the list, until their sockets are closed.
        var leaving: [UInt64: any ClientTransport] = [:]
        var lastLeaving: UInt64 = 0
        /// What wakes each of those who look after the addresses that were put aside.
        var supervisors: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var lastSupervisor: UInt64 = 0
        /// Addresses that one of them probes now: two need not ask the same.
        var probing: Set<ServerAddress> = []
        var isClosed = false
    }

    /// A connection on its way out.
    private struct Leaver {
        let number: UInt64
        let transport: any ClientTransport
    }

    /// An address and one of its connections, in use by one call.
    struct Lease {
        let address: ServerAddress
        let transport: any ClientTransport
        let slot: Int
        let began: NIODeadline
    }

    private let connectionsPerAddress: Int
    private let connect: Connector
    private let directory: ServerDirectory
    private let shared: Shared
    private let eventLoop: any EventLoop

    /// What the directory's callback and the transport both touch.
    private final class Shared: Sendable {
        let state: Mutex<State>
        init(_ strategy: BalancingStrategy) {
            state = Mutex(State(balancer: LoadBalancer(strategy)))
        }

        /// Takes a new list; connections to addresses that are gone from it end with their calls.
        func update(_ addresses: [ServerAddress]) {
            let idle = state.withLock { state in
                state.balancer.update(addresses)
                let kept = Set(addresses)
                var idle: [Leaver] = []
                for (address, pool) in state.pools
                where !kept.contains(address) && pool.allSatisfy({ $0.inFlight == 0 }) {
                    idle += Self.take(address, &state)
                }
                return idle
            }
            leave(idle)
        }

        /// Takes an address's connections out of use.
        static func take(_ address: ServerAddress, _ state: inout State) -> [Leaver] {
            (state.pools.removeValue(forKey: address) ?? []).map { connection in
                state.lastLeaving += 1
                state.leaving[state.lastLeaving] = connection.transport
                return Leaver(number: state.lastLeaving, transport: connection.transport)
            }
        }

        /// Has connections close; only the cluster's own close waits for them.
        func leave(_ leavers: [Leaver]) {
            for leaver in leavers {
                leaver.transport.leave { [weak self] in
                    _ = self?.state.withLock { $0.leaving.removeValue(forKey: leaver.number) }
                }
            }
        }
    }

    /// Makes a transport; nothing is resolved or connected yet.
    package init(
        _ targets: [ServerAddress], strategy: BalancingStrategy = .leastLatency,
        connectionsPerAddress: Int = 1, resolver: any AddressResolver = SystemAddressResolver(),
        connect: @escaping Connector
    ) {
        self.connectionsPerAddress = min(
            max(1, connectionsPerAddress), Limits.clientConnectionsPerAddress)
        self.connect = connect
        let shared = Shared(strategy)
        self.shared = shared
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        self.eventLoop = eventLoop
        directory = ServerDirectory(targets, resolver: resolver, eventLoop: eventLoop) {
            shared.update($0)
        }
    }

    static let closed = RPCError(
        code: RPCError.Code.connectionRefused, text: "The client is closed", isNotProcessed: true)

    // MARK: Calls

    package func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        try await perform(call) { (transport) async throws(RPCError) in
            try await transport.unary(call)
        } then: { bytes, lease in
            self.end(lease, .answered)
            return bytes
        }
    }

    package func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        try await perform(call) { (transport) async throws(RPCError) in
            try await transport.openStream(call)
        } then: { stream, lease in
            self.streamOpened(lease)
            return LeasedStream(stream) { self.release(lease) }
        }
    }

    package func exchange(_ call: OutgoingCall) async throws(RPCError) -> IncomingResponse {
        try await perform(call) { (transport) async throws(RPCError) in
            try await transport.exchange(call)
        } then: { response, lease in
            self.end(lease, .answered)
            return response
        }
    }

    package func notify(_ call: OutgoingCall) async throws(RPCError) {
        try await perform(call) { (transport) async throws(RPCError) in
            try await transport.notify(call)
        } then: { _, lease in
            // Nothing was answered, so nothing was learned.
            self.end(lease, .unknown)
        }
    }

    package func openDuplex(_ call: OutgoingCall) async throws(RPCError) -> DuplexStream {
        try await perform(call) { (transport) async throws(RPCError) in
            try await transport.openDuplex(call)
        } then: { stream, lease in
            self.streamOpened(lease)
            let incoming = LeasedStream(stream.incoming) { self.release(lease) }
            return DuplexStream(incoming: incoming, outgoing: stream.outgoing)
        }
    }

    package func close() async {
        let (transports, supervisors) = shared.state.withLock { state in
            state.isClosed = true
            defer {
                state.pools = [:]
                state.leaving = [:]
            }
            let transports = state.pools.values.flatMap { $0 }.map(\.transport)
            return (transports + state.leaving.values, Array(state.supervisors.values))
        }
        directory.close()
        for supervisor in supervisors { supervisor.finish() }
        // All at once, so that a server that does not take its leave holds up no other's end.
        for transport in transports { transport.leave {} }
        for transport in transports { await transport.close() }
    }

    /// What all connections hold now, those on their way out included.
    package var population: ClientPopulation {
        get async {
            let transports = shared.state.withLock { state in
                state.pools.values.flatMap { $0 }.map(\.transport) + state.leaving.values
            }
            var population = ClientPopulation()
            population.waiters = directory.waiterCount
            for transport in transports { population.add(await transport.population) }
            return population
        }
    }

    /// Runs an attempt at one address, and at others while none of them begins it.
    ///
    /// Inlined, like what it is made of: each asynchronous function that a call goes through takes
    /// memory of its task, and has it look up where it runs.
    @inline(__always)
    private func perform<Value, Result>(
        _ call: OutgoingCall, _ body: (any ClientTransport) async throws(RPCError) -> Value,
        then finish: (Value, Lease) -> Result
    ) async throws(RPCError) -> Result {
        try await directory.prepare(until: call.deadline)
        // Shared with the call's other attempts: a hedge goes where none of them is.
        let trail = call.trail ?? CallTrail()
        var moves = 0
        while true {
            let lease = try self.lease(call, trail)
            do throws(RPCError) {
                return finish(try await body(lease.transport), lease)
            } catch {
                end(lease, Self.outcome(error))
                guard Self.mayMove(error), moves < Limits.clientMoves,
                    call.deadline.remainingMilliseconds > 0, hasOther(than: trail.addresses)
                else {
                    if Self.mayMove(error) { directory.invalidate() }
                    throw error
                }
                moves += 1
                ClientMeters.again(call.method, .move)
            }
        }
    }

    /// Whether another server may take at once what this one did not begin.
    ///
    /// The reason must lie with the server: a request that makes no sense, or names no method,
    /// would be refused by each of them.
    private static func mayMove(_ error: RPCError) -> Bool {
        switch error.code {
        // An overloaded server's calls are not pushed upon the others without a budget.
        case RPCError.Code.limit, RPCError.Code.overcrowded: false
        default: error.isNotProcessed && error.failure.code == .unavailable
        }
    }

    private static func outcome(_ error: RPCError) -> LoadBalancer.Outcome {
        switch error.code {
        case RPCError.Code.cancelled: .unknown
        case RPCError.Code.loggedOff, RPCError.Code.connectionRefused: .gone
        case RPCError.Code.connectionFailed, RPCError.Code.endOfFile, RPCError.Code.timedOut,
            RPCError.Code.limit, RPCError.Code.overcrowded:
            .failed
        // A server that refuses in no time must not look like the fastest of all.
        default: mayMove(error) ? .failed : .answered
        }
    }

    // MARK: Leases

    /// Chooses an address that no attempt of the call is or was at, if there is one, and notes it
    /// in the same breath: two attempts may choose at the same time.
    private func lease(_ call: OutgoingCall, _ trail: CallTrail) throws(RPCError) -> Lease {
        let now = NIODeadline.now()
        let lease = shared.state.withLock { state -> Lease? in
            guard !state.isClosed,
                let address = state.balancer.pick(
                    at: Int64(now.uptimeNanoseconds), key: call.affinityKey,
                    avoiding: trail.addresses, using: &state.generator)
            else { return nil }
            trail.visit(address)
            let (slot, transport) = use(address, &state)
            return Lease(address: address, transport: transport, slot: slot, began: now)
        }
        guard let lease else { throw Self.closed }
        return lease
    }

    /// The connection of an address that carries the fewest calls; a new one while there may be
    /// more and all have something to do.
    private func use(
        _ address: ServerAddress, _ state: inout State
    ) -> (slot: Int, transport: any ClientTransport) {
        use(&state.pools[address, default: []], address)
    }

    private func use(
        _ pool: inout [Connection], _ address: ServerAddress
    ) -> (slot: Int, transport: any ClientTransport) {
        var slot = pool.indices.min { pool[$0].inFlight < pool[$1].inFlight } ?? 0
        if pool.isEmpty || pool[slot].inFlight > 0 && pool.count < connectionsPerAddress {
            pool.append(Connection(transport: connect(address)))
            slot = pool.count - 1
        }
        pool[slot].inFlight += 1
        return (slot, pool[slot].transport)
    }

    private func hasOther(than visited: [ServerAddress]) -> Bool {
        shared.state.withLock { state in
            !state.isClosed && state.balancer.addresses.contains { !visited.contains($0) }
        }
    }

    package func mayHedge(_ call: OutgoingCall) async -> Bool {
        // As the first attempt does: whether there is a second server is known no sooner.
        do throws(RPCError) {
            try await directory.prepare(until: call.deadline)
        } catch {
            return false
        }
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let visited = call.trail?.addresses ?? []
        return shared.state.withLock { $0.balancer.hasSecond(at: now, avoiding: visited) }
    }

    private func end(_ lease: Lease, _ outcome: LoadBalancer.Outcome) {
        let now = NIODeadline.now()
        let (isPutAside, leavers) = shared.state.withLock { state in
            let isPutAside = state.balancer.ended(
                lease.address, outcome, after: (now - lease.began).nanoseconds,
                at: Int64(now.uptimeNanoseconds), using: &state.generator)
            return (isPutAside, giveBack(lease, &state))
        }
        shared.leave(leavers)
        guard isPutAside else { return }
        let supervisors = shared.state.withLock { Array($0.supervisors.values) }
        for supervisor in supervisors { supervisor.yield() }
    }

    private func streamOpened(_ lease: Lease) {
        let now = NIODeadline.now()
        shared.state.withLock { state in
            state.balancer.opened(
                lease.address, after: (now - lease.began).nanoseconds,
                at: Int64(now.uptimeNanoseconds))
        }
    }

    private func release(_ lease: Lease) {
        let leavers = shared.state.withLock { state in
            state.balancer.released(lease.address)
            return giveBack(lease, &state)
        }
        shared.leave(leavers)
    }

    /// Ends a lease; the connections that are to leave now, if its address had left the list.
    private func giveBack(_ lease: Lease, _ state: inout State) -> [Leaver] {
        guard let isIdle = Self.giveBack(lease.slot, &state.pools[lease.address]), isIdle,
            !state.balancer.contains(lease.address)
        else { return [] }
        return Shared.take(lease.address, &state)
    }

    /// Whether nothing uses the pool any more; nil if the pool has gone.
    ///
    /// The pool is changed where it lies: a copy of it for each call would cost an allocation.
    private static func giveBack(_ slot: Int, _ pool: inout [Connection]?) -> Bool? {
        guard pool?.indices.contains(slot) == true else { return nil }
        pool?[slot].inFlight -= 1
        return pool?.allSatisfy { $0.inFlight == 0 }
    }

    // MARK: Supervision

    /// Probes addresses that were put aside until the task is cancelled or the transport closed;
    /// without it they come back when their time is over.
    package func supervise(
        probe: @escaping @Sendable (any ClientTransport) async -> Bool
    ) async {
        // One of its own for each that runs: cancelling who reads it ends it for good.
        let (absences, absence) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        guard let number = enlist(absence) else { return }
        var alarm: Scheduled<Void>?
        defer {
            alarm?.cancel()
            shared.state.withLock { state in
                state.supervisors[number] = nil
                state.balancer.isSupervised = !state.supervisors.isEmpty
            }
        }
        // Somebody may have been put aside before.
        absence.yield()
        // A pause ends with its time, when another address is put aside, and with the close.
        for await _ in absences {
            alarm?.cancel()
            guard !Task.isCancelled else { return }
            alarm = await probeDue(probe).map { pause in
                eventLoop.scheduleTask(in: pause) { _ = absence.yield() }
            }
        }
    }

    /// The number of one more supervisor; nil if there is nothing to look after any more.
    private func enlist(_ supervisor: AsyncStream<Void>.Continuation) -> UInt64? {
        shared.state.withLock { state in
            guard !state.isClosed else { return nil }
            state.lastSupervisor += 1
            state.supervisors[state.lastSupervisor] = supervisor
            state.balancer.isSupervised = true
            return state.lastSupervisor
        }
    }

    /// Probes what is due; how long until the next probe, nil if none is to come.
    private func probeDue(
        _ probe: @escaping @Sendable (any ClientTransport) async -> Bool
    ) async -> TimeAmount? {
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let due = shared.state.withLock { state -> [Lease] in
            guard !state.isClosed else { return [] }
            let due = state.balancer.dueProbes(at: now)
            return due.filter { state.probing.insert($0).inserted }.map { address in
                let (slot, transport) = use(address, &state)
                return Lease(address: address, transport: transport, slot: slot, began: .now())
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for lease in due {
                group.addTask {
                    let isWell = await probe(lease.transport)
                    // Who stops looking learns nothing of a server that had not answered yet.
                    self.probed(lease, isWell: isWell || !Task.isCancelled ? isWell : nil)
                }
            }
        }
        return shared.state.withLock { state in
            guard !state.isClosed, let next = state.balancer.nextProbe else { return nil }
            let pause = next - Int64(NIODeadline.now().uptimeNanoseconds)
            let shortest = Limits.clientSuperviseMilliseconds * 1_000_000
            return .nanoseconds(max(pause, shortest))
        }
    }

    /// Takes in what a probe found; nil if that is not known.
    private func probed(_ lease: Lease, isWell: Bool?) {
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        let leavers = shared.state.withLock { state in
            state.probing.remove(lease.address)
            if let isWell {
                state.balancer.probed(
                    lease.address, isWell: isWell, at: now, using: &state.generator)
            }
            return giveBack(lease, &state)
        }
        shared.leave(leavers)
    }

    // MARK: For tests and status pages

    /// Calls and streams at each address now.
    package var inFlight: [String: Int] {
        shared.state.withLock { state in
            Dictionary(
                state.balancer.addresses.map {
                    ($0.description, state.balancer.inFlight($0))
                },
                // Several names may stand for one address.
                uniquingKeysWith: +)
        }
    }

    /// Those who look after the addresses now.
    package var supervisorCount: Int { shared.state.withLock { $0.supervisors.count } }

    /// Connections that exist, in use or not.
    package var connectionCount: Int {
        shared.state.withLock { $0.pools.values.reduce(0) { $0 + $1.count } }
    }
}
