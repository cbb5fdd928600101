import NIOCore
import NIOPosix
import Synchronization
import TollgateKernel

/// Carries calls over one connection, made when the first call needs it and again after its loss.
package final class SocketTransport: ClientTransport {
    /// Where the server is.
    package enum Endpoint: Sendable {
        /// At a host name or address and a port.
        case address(host: String, port: Int)
        /// At a Unix socket's path.
        case unix(path: String)
        /// In this process: the frames are the same, over a pair of connected sockets.
        case inProcess(RPCServer)
    }

    private enum Phase {
        case idle
        case connecting
        case ready(ClientConnection)
        case closed
    }

    private struct State {
        var phase = Phase.idle
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var failures = 0
        var notBefore = NIODeadline.uptimeNanoseconds(0)
        /// Every connection whose socket is open: the one for new calls, and those that a server
        /// is leaving and that still carry what it had accepted.
        var living: [ObjectIdentifier: Living] = [:]
        /// Kept once the connection that is being made is made or is not.
        var attempt: EventLoopPromise<Void>?
        /// What the attempt waits for before it begins.
        var pause: Scheduled<Void>?
    }

    private struct Living {
        let connection: ClientConnection
        let channel: any Channel
    }

    private struct Waiter {
        let continuation: CheckedContinuation<Result<ClientConnection, RPCError>, Never>
        let timer: Scheduled<Void>

        func finish(_ result: Result<ClientConnection, RPCError>) {
            timer.cancel()
            continuation.resume(returning: result)
        }
    }

    private let endpoint: Endpoint
    private let credential: [UInt8]?
    private let keepalive: Keepalive
    private let tls: ClientTLS?
    private let executor: LoopExecutor
    private let queueLimitBytes: Int
    private let connectTimeoutMilliseconds: Int64
    private let pauseMilliseconds: @Sendable (Int) -> Int64
    private let state = Mutex(State())

    private var eventLoop: any EventLoop { executor.eventLoop }

    /// Makes a transport; nothing connects yet.
    ///
    /// `credential` goes with each connection's first request. The files of `tls` are read for each
    /// connection, so new ones are taken without a restart. The connection lives on the loop of
    /// `executor`; without one, on whose turn it is. Calls are refused while more than
    /// `queueLimitBytes` wait for the server. Connecting, and then the handshake of an encrypted
    /// connection, may take `connectTimeoutMilliseconds` each. After so many failures in a row the
    /// next connect is `pauseMilliseconds` away; tests say how long.
    package init(
        _ endpoint: Endpoint, credential: [UInt8]?, tls: ClientTLS? = nil,
        keepalive: Keepalive = Keepalive(), executor: LoopExecutor? = nil,
        queueLimitBytes: Int = Limits.rpcClientQueuedBytes,
        connectTimeoutMilliseconds: Int64 = Limits.rpcConnectTimeoutMilliseconds,
        pauseMilliseconds: @escaping @Sendable (_ failures: Int) -> Int64 = {
            SocketTransport.pauseMilliseconds(afterFailures: $0)
        }
    ) {
        self.pauseMilliseconds = pauseMilliseconds
        self.queueLimitBytes = queueLimitBytes
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.endpoint = endpoint
        self.keepalive = keepalive
        self.credential = credential
        self.tls = tls
        self.executor = executor ?? LoopExecutor()
    }

    package func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        try await connection(for: call).unary(call).get().payload
    }

    package func exchange(_ call: OutgoingCall) async throws(RPCError) -> IncomingResponse {
        try await connection(for: call).unary(call).get()
    }

    package func notify(_ call: OutgoingCall) async throws(RPCError) {
        try await connection(for: call).notify(call).get()
    }

    package func openStream(
        _ call: OutgoingCall
    ) async throws(RPCError) -> any IncomingStream {
        try await connection(for: call).openStream(call).get()
    }

    package func openDuplex(_ call: OutgoingCall) async throws(RPCError) -> DuplexStream {
        try await connection(for: call).openDuplex(call).get()
    }

    /// Ends every call and every connection, those too that a server is leaving; returns when
    /// their sockets are closed.
    ///
    /// A server that does not take its leave has ``Limits/rpcCloseMilliseconds`` for it.
    package func close() async { try? await beginClose().get() }

    package func leave(_ left: @escaping @Sendable () -> Void) {
        beginClose().whenComplete { _ in left() }
    }

    /// Never: there is one server.
    package func mayHedge(_ call: OutgoingCall) async -> Bool { false }

    private func beginClose() -> EventLoopFuture<Void> {
        let (waiters, living, attempt, pause) = state.withLock { state in
            defer {
                state.phase = .closed
                state.waiters = [:]
                state.pause = nil
            }
            return (
                state.waiters.values, Array(state.living.values), state.attempt, state.pause
            )
        }
        if let pause {
            pause.cancel()
            endAttempt()
        }
        for waiter in waiters { waiter.finish(.failure(Self.closed)) }
        // One that is only being made is living too, as soon as it has a socket.
        for one in living { one.connection.submit(.close) }
        let sockets = living.map(\.channel.closeFuture)
        let ends = sockets + (attempt.map { [$0.futureResult] } ?? [])
        let promise = eventLoop.makePromise(of: Void.self)
        let patience = eventLoop.scheduleTask(in: .milliseconds(Limits.rpcCloseMilliseconds)) {
            [eventLoop] in
            for one in living { ClientTLS.sever(one.channel) }
            // Whoever still looks for an address will find that nobody wants a socket any more.
            EventLoopFuture.andAllComplete(sockets, on: eventLoop).whenComplete { _ in
                promise.succeed()
            }
        }
        EventLoopFuture.andAllComplete(ends, on: eventLoop).whenComplete { _ in
            patience.cancel()
            promise.succeed()
        }
        return promise.futureResult
    }

    /// What the transport holds now.
    package var population: ClientPopulation {
        get async {
            let (waiters, isMaking, living) = state.withLock { state in
                (state.waiters.count, state.attempt != nil, Array(state.living.values))
            }
            let held = try? await eventLoop.submit {
                living.reduce(into: ClientPopulation()) { $0.add($1.connection.population) }
            }.get()
            var population = held ?? ClientPopulation()
            population.waiters = waiters
            population.attempts = isMaking ? 1 : 0
            return population
        }
    }

    private static let closed = RPCError(
        code: RPCError.Code.connectionRefused, text: "The client is closed")

    private var isClosed: Bool {
        state.withLock { state in
            if case .closed = state.phase { true } else { false }
        }
    }

    // MARK: Getting a connection

    /// Inlined: each asynchronous function that a call goes through takes memory of its task.
    @inline(__always)
    private func connection(for call: OutgoingCall) async throws(RPCError) -> ClientConnection {
        let ready: Result<ClientConnection, RPCError>? = state.withLock { state in
            switch state.phase {
            case .ready(let connection): .success(connection)
            case .closed: .failure(Self.closed)
            case .idle, .connecting: nil
            }
        }
        if let ready { return try ready.get() }
        return try await wait(until: call.deadline).get()
    }

    private func wait(until deadline: CallDeadline) async -> Result<ClientConnection, RPCError> {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enlist(number, continuation, deadline)
                if Task.isCancelled { dismiss(number, Self.cancelled) }
            }
        } onCancel: {
            dismiss(number, Self.cancelled)
        }
    }

    private static let cancelled = RPCError(
        code: RPCError.Code.cancelled, text: "The call was cancelled", isNotProcessed: true)

    /// Puts a caller among those who wait, and begins to connect if nobody has.
    private func enlist(
        _ number: UInt64,
        _ continuation: CheckedContinuation<Result<ClientConnection, RPCError>, Never>,
        _ deadline: CallDeadline
    ) {
        let timer = eventLoop.scheduleTask(deadline: deadline.moment) {
            self.dismiss(
                number,
                RPCError(
                    code: RPCError.Code.timedOut,
                    text: "No connection was made before the deadline", isNotProcessed: true))
        }
        let waiter = Waiter(continuation: continuation, timer: timer)
        let step = state.withLock { state -> Step in
            switch state.phase {
            case .ready(let connection): return .finish(.success(connection))
            case .closed: return .finish(.failure(Self.closed))
            case .connecting, .idle:
                guard state.waiters.count < Limits.rpcPendingCallsPerConnection else {
                    return .finish(.failure(Self.overcrowded))
                }
                state.waiters[number] = waiter
                if case .connecting = state.phase { return .wait }
                state.phase = .connecting
                state.attempt = eventLoop.makePromise()
                guard state.notBefore > .now() else { return .connect }
                // Under the lock, which connecting takes too: what is kept has not run yet.
                state.pause = eventLoop.scheduleTask(deadline: state.notBefore) { self.connect() }
                return .wait
            }
        }
        switch step {
        case .finish(let result): waiter.finish(result)
        case .wait: break
        case .connect: connect()
        }
    }

    private static let overcrowded = RPCError(
        code: RPCError.Code.overcrowded, text: "Too many calls wait for a connection",
        isNotProcessed: true)

    private enum Step {
        case finish(Result<ClientConnection, RPCError>)
        case wait
        case connect
    }

    private func dismiss(_ number: UInt64, _ error: RPCError) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.finish(.failure(error))
    }

    // MARK: Connecting

    private func connect() {
        state.withLock { $0.pause = nil }
        guard let tls, case .address(let host, _) = endpoint else { return connect { _ in } }
        // Files are read on a thread that may block.
        let patience = TimeAmount.milliseconds(connectTimeoutMilliseconds)
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try tls.makeContext() }
            .whenComplete { result in
                switch result {
                case .success(let context):
                    self.connect { channel in
                        try channel.pipeline.syncOperations.addHandlers(
                            try tls.makeHandler(context, host: host),
                            HandshakeWatch(channel.eventLoop, patience: patience))
                    }
                case .failure(let error): self.failed(error)
                }
            }
    }

    private func connect(_ encrypt: @escaping @Sendable (any Channel) throws -> Void) {
        guard !isClosed else { return endAttempt() }
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(connectTimeoutMilliseconds))
            // What is not writable any more has as much as a connection may keep.
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: max(1, queueLimitBytes / 2), high: queueLimitBytes)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try encrypt(channel)
                    try self.adopt(channel)
                }
            }
        let channel: EventLoopFuture<any Channel>
        switch endpoint {
        case .address(let host, let port):
            channel = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port)
        case .unix(let path):
            channel = bootstrap.connect(unixDomainSocketPath: path)
        case .inProcess(let server):
            channel = server.connectInProcess(bootstrap, on: eventLoop)
        }
        channel.flatMap { channel in
            Self.secured(channel).map { channel }
        }.whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.failed(error)
            }
        }
    }

    /// Gives a socket its connection, which is living from now on until the socket is closed.
    private func adopt(_ channel: any Channel) throws {
        let connection = ClientConnection(
            executor: executor, credential: credential, keepalive: keepalive,
            queueLimitBytes: queueLimitBytes
        ) { [weak self] connection in self?.retired(connection) }
        let key = ObjectIdentifier(channel)
        let isWanted = state.withLock { state in
            if case .closed = state.phase { return false }
            state.living[key] = Living(connection: connection, channel: channel)
            return true
        }
        // The client was closed meanwhile: so is the socket.
        guard isWanted else { throw ChannelError.ioOnClosedChannel }
        channel.closeFuture.whenComplete { [weak self] _ in
            _ = self?.state.withLock { $0.living.removeValue(forKey: key) }
        }
        try channel.pipeline.syncOperations.addHandler(connection)
    }

    /// Waits for the handshake of a connection that has one.
    private static func secured(_ channel: any Channel) -> EventLoopFuture<Void> {
        let watch = try? channel.pipeline.syncOperations.handler(type: HandshakeWatch.self)
        return watch?.done ?? channel.eventLoop.makeSucceededVoidFuture()
    }

    private func connected(_ channel: any Channel) {
        let connection = state.withLock { $0.living[ObjectIdentifier(channel)]?.connection }
        // Lost again before anybody could use it.
        guard let connection, !connection.isRetired else { return failed(ChannelError.eof) }
        endAttempt()
        let waiters = state.withLock { state -> [UInt64: Waiter]? in
            guard case .connecting = state.phase else { return nil }
            state.phase = .ready(connection)
            state.failures = 0
            defer { state.waiters = [:] }
            return state.waiters
        }
        guard let waiters else { return connection.submit(.close) }
        for waiter in waiters.values { waiter.finish(.success(connection)) }
    }

    /// Lets go whoever waits until nothing is being made any more.
    private func endAttempt() {
        let attempt = state.withLock { state in
            defer { state.attempt = nil }
            return state.attempt
        }
        attempt?.succeed()
    }

    private func failed(_ error: any Error) {
        endAttempt()
        let waiters = state.withLock { state in
            if case .connecting = state.phase { state.phase = .idle }
            state.failures += 1
            state.notBefore = .now() + .milliseconds(pauseMilliseconds(state.failures))
            defer { state.waiters = [:] }
            return state.waiters
        }
        let refusal = RPCError(
            code: RPCError.Code.connectionRefused,
            text: explain(error), isNotProcessed: true)
        for waiter in waiters.values { waiter.finish(.failure(refusal)) }
    }

    private func explain(_ error: any Error) -> String {
        if case .address(let host, let port) = endpoint,
            let sentence = HandshakeFault.sentence(
                error, at: "\(host):\(port)", name: tls?.serverName ?? host)
        {
            return sentence
        }
        return "The server cannot be reached (\(describe(error)))"
    }

    private func describe(_ error: any Error) -> String {
        switch endpoint {
        case .address(let host, let port):
            tls == nil ? "\(host):\(port)" : "\(host):\(port): \(error)"
        case .unix(let path): path
        case .inProcess: "\(error)"
        }
    }

    private func retired(_ connection: ClientConnection) {
        state.withLock { state in
            if case .ready(let current) = state.phase, current === connection {
                state.phase = .idle
                // A server that is stopping or broken is not asked again at once by everybody.
                state.notBefore = .now() + .milliseconds(pauseMilliseconds(1))
            }
        }
    }

    /// A pause that doubles with each failure, half of it random, so that clients come back apart.
    package static func pauseMilliseconds(
        afterFailures failures: Int, using generator: inout some RandomNumberGenerator
    ) -> Int64 {
        let doubled = Limits.rpcReconnectPauseMilliseconds << Int64(min(max(failures - 1, 0), 16))
        let pause = min(doubled, Limits.rpcReconnectPauseMaximumMilliseconds)
        return Int64.random(in: pause / 2...pause, using: &generator)
    }

    /// The same, with the system's random numbers.
    package static func pauseMilliseconds(afterFailures failures: Int) -> Int64 {
        var generator = SystemRandomNumberGenerator()
        return pauseMilliseconds(afterFailures: failures, using: &generator)
    }
}
