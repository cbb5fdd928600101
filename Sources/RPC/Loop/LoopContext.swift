import Metrics
import NIOCore
import Synchronization
import TollgateKernel

/// What the connections of one event loop share: the executor of their tasks and one timer.
///
/// `@unchecked Sendable`: all of its state is touched on the event loop alone.
final class LoopContext: @unchecked Sendable {
    let executor: LoopExecutor
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var httpConnections: [ObjectIdentifier: HTTPConnection] = [:]
    private var due = DueTable()
    private var timer: RepeatedTask?
    private var lastTick = NIODeadline.now()
    private(set) var isDraining = false
    /// How many calls run; on the event loop.
    private(set) var callCount = 0
    /// What goes on for HTTP connections beside their calls; on the event loop.
    private(set) var errandCount = 0
    private var idleWaiters: [EventLoopPromise<Void>] = []
    private var errandWaiters: [EventLoopPromise<Void>] = []
    private let lag: Metrics.Timer
    private let callGauge: Gauge
    private let connectionGauge: Gauge
    private let worstLag = Atomic<Int64>(0)
    private var ticks = 0

    /// Gauges are read once in some seconds; a tick is too often for them.
    private static let ticksBetweenGauges = 100

    var eventLoop: any EventLoop { executor.eventLoop }

    /// Makes a loop's context; `number` tells the loops apart in metrics.
    init(eventLoop: any EventLoop, number: Int) {
        executor = LoopExecutor(eventLoop: eventLoop)
        let dimensions = [("loop", String(number))]
        lag = Metrics.Timer(label: "tollgate_rpc_loop_lag_seconds", dimensions: dimensions)
        callGauge = Gauge(label: "tollgate_rpc_calls_in_flight", dimensions: dimensions)
        connectionGauge = Gauge(label: "tollgate_rpc_connections", dimensions: dimensions)
    }

    /// The longest that the loop was late so far, in nanoseconds; from any thread.
    var worstLagNanoseconds: Int64 { worstLag.load(ordering: .relaxed) }

    /// Begins to look for passed deadlines; on the event loop.
    func start() {
        let tick = TimeAmount.milliseconds(Limits.rpcDeadlineTickMilliseconds)
        lastTick = .now()
        timer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in
            self?.tick(every: tick)
        }
    }

    /// Stops the timer; on the event loop.
    func stop() {
        timer?.cancel()
        timer = nil
    }

    /// One look at the clock finds every passed deadline, so that no call needs a timer.
    private func tick(every period: TimeAmount) {
        let now = NIODeadline.now()
        let late = max(0, (now - lastTick - period).nanoseconds)
        lag.recordNanoseconds(late)
        if late > worstLag.load(ordering: .relaxed) { worstLag.store(late, ordering: .relaxed) }
        lastTick = now
        ticks &+= 1
        if ticks % Self.ticksBetweenGauges == 0 {
            connectionGauge.record(connections.count)
            callGauge.record(callCount)
        }
        look(now)
    }

    /// Has the connections with something due look after it; how many there were.
    @discardableResult
    func look(_ now: NIODeadline) -> Int {
        due.take(now).count { connections[$0]?.lookIfDue(now) == true }
    }

    /// Has a connection look at the clock once the loop is there; on the event loop.
    func wake(_ connection: ServerConnection, at moment: NIODeadline) {
        due.add(ObjectIdentifier(connection), due: moment)
    }

    func add(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = connection
        if isDraining { connection.drain() }
    }

    /// Forgets a connection that is closed and has no task left.
    func remove(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        connectionBecameIdle()
    }

    /// Notes a connection that speaks HTTP.
    ///
    /// One that comes while the server stops is about to ask, and hears that it does.
    func add(_ connection: HTTPConnection) {
        httpConnections[ObjectIdentifier(connection)] = connection
    }

    /// Forgets a connection that spoke HTTP.
    func remove(_ connection: HTTPConnection) {
        httpConnections[ObjectIdentifier(connection)] = nil
    }

    /// Has new calls refused on every connection, and ends those that waited for a page's request;
    /// on the event loop.
    func drain() {
        isDraining = true
        for connection in connections.values { connection.drain() }
        for connection in httpConnections.values { connection.drain() }
    }

    /// Cancels whatever still runs; on the event loop.
    func cancelCalls() {
        for connection in connections.values { connection.cancelCalls() }
    }

    /// Closes the connections once what they were sent is on its way; on the event loop.
    ///
    /// At `end` those are left whose peers take long.
    func closeConnections(until end: NIODeadline) -> EventLoopFuture<Void> {
        .andAllComplete(
            connections.values.map { $0.closeAfterFlush(until: end) }
                + httpConnections.values.map { $0.closeAfterPage(until: end) }, on: eventLoop)
    }

    /// Succeeds once no call runs; on the event loop.
    func whenIdle() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        idleWaiters.append(promise)
        connectionBecameIdle()
        return promise.futureResult
    }

    /// Ends the wait for calls that do not end; on the event loop.
    func stopWaiting() {
        let waiters = idleWaiters
        idleWaiters = []
        for waiter in waiters { waiter.succeed() }
    }

    /// A page, a credential or a message's JSON is being seen to, in a task or on another thread:
    /// it comes back to this loop, which must be there; on the event loop.
    func errandBegan() { errandCount += 1 }

    /// An errand came back; on the event loop.
    func errandEnded() {
        errandCount -= 1
        if errandCount == 0 { stopWaitingForErrands() }
    }

    /// Succeeds once no errand is under way; on the event loop.
    func whenErrandsEnd() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        errandWaiters.append(promise)
        if errandCount == 0 { stopWaitingForErrands() }
        return promise.futureResult
    }

    /// Ends the wait for errands that do not end; on the event loop.
    func stopWaitingForErrands() {
        let waiters = errandWaiters
        errandWaiters = []
        for waiter in waiters { waiter.succeed() }
    }

    /// Told by a connection that a call has its place, so that nobody has to count them.
    func callBegan() { callCount += 1 }

    /// Told by a connection that a call's place is free again.
    func callEnded() { callCount -= 1 }

    /// Told by a connection whose last call ended.
    func connectionBecameIdle() {
        // Looked through only once no call runs: each call's end would look through all else.
        guard !idleWaiters.isEmpty, callCount == 0, connections.values.allSatisfy(\.isIdle) else {
            return
        }
        stopWaiting()
    }

    /// How many connections speak RPC; on the event loop.
    var connectionCount: Int { connections.count }

    /// What the loop holds; on the event loop.
    var population: RPCServer.Population {
        var population = RPCServer.Population()
        population.connections = connectionCount
        population.heldBack = connections.values.count(where: \.wantsRead)
        population.httpConnections = httpConnections.count
        population.calls = callCount
        population.errands = errandCount
        population.readyStreams = connections.values.reduce(0) { $0 + $1.readyStreams.count }
        return population
    }
}
