import Logging
import NIOCore
import NIOPosix
import TollgateKernel

/// Hosts services on a socket, and for callers inside the process.
///
///     let server = try RPCServer(configuration, services: [auth.service])
///     try await server.run()  // until drain(), or until its task is cancelled
///
/// A stop loses no admitted call: new ones are refused with ELOGOFF (2003), running ones are
/// awaited, and cancelled only when the grace is over.
package final class RPCServer: Sendable {
    private let configuration: RPCServerConfiguration
    let core: ServerCore
    let loops = Latch<[LoopContext]>()
    private let listening = Latch<Result<ListeningAddress?, any Error>>()
    let stopping = Latch<Void>()

    /// Checks the configuration and the services, and reads the certificate; nothing listens yet.
    /// - Throws: ``RPCServerError``.
    package init(
        _ configuration: RPCServerConfiguration, services: [ServiceRegistration]
    ) throws {
        if let host = configuration.host, configuration.socketPath == nil,
            configuration.tls == nil, !configuration.isInsecure,
            !ListeningAddress.isLoopback(host)
        {
            throw RPCServerError.addressBeyondLoopback(host)
        }
        var names: Set<String> = []
        for service in services where !names.insert(service.name).inserted {
            throw RPCServerError.duplicateService(service.name)
        }
        self.configuration = configuration
        core = ServerCore(
            router: Router(services, configuration.limits),
            verifier: configuration.credentials.verifier,
            interceptors: configuration.interceptors,
            pages: configuration.pages,
            maximumBodyBytes: configuration.maximumBodyBytes, keepalive: configuration.keepalive,
            drainGraceMilliseconds: configuration.drainGraceMilliseconds,
            logger: configuration.logger, edge: ServerEdge(configuration.limits),
            certificates: try configuration.tls.map { settings in
                try ServerCertificates(settings, logger: configuration.logger)
            }, mayBePlain: configuration.tls == nil || configuration.isInsecure)
    }

    /// Where the server listens, once it does; nil if it listens nowhere.
    /// - Throws: why it does not.
    package var address: ListeningAddress? {
        get async throws { try await listening.value.get() }
    }

    /// The longest that any event loop was late so far, in nanoseconds.
    ///
    /// Above ten milliseconds somebody did slow work on a loop, or the machine is too busy.
    package var worstLoopLagNanoseconds: Int64 {
        loops.current?.map(\.worstLagNanoseconds).max() ?? 0
    }

    /// Begins to stop; ``run()`` returns when the last call is done.
    ///
    /// Safe to call at any time, and more than once.
    package func drain() { stopping.set(()) }

    /// Serves until ``drain()`` is called or the task is cancelled, then stops as ``drain()`` does.
    /// - Throws: ``RPCServerError/cannotListen(_:errorNumber:)``.
    package func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoops)
        let contexts = group.makeIterator().enumerated().map {
            LoopContext(eventLoop: $1, number: $0)
        }
        do {
            for context in contexts {
                try await context.eventLoop.submit { context.start() }.get()
            }
            let channel = try await listen(group, contexts)
            loops.set(contexts)
            // Cancelled where this block ends.
            async let _: Void? = core.certificates?.watch()
            listening.set(.success(channel.flatMap(ListeningAddress.init)))
            await withTaskCancellationHandler {
                await stopping.value
            } onCancel: {
                stopping.set(())
            }
            core.logger.debug("draining")
            try? await channel?.close().get()
            try await drain(contexts)
        } catch {
            let failure = RPCServerError.cannotListen(
                "\(error)", errorNumber: (error as? IOError)?.errnoCode)
            listening.set(.failure(failure))
            try await group.shutdownGracefully()
            throw failure
        }
        try await group.shutdownGracefully()
    }

    private func listen(
        _ group: MultiThreadedEventLoopGroup, _ contexts: [LoopContext]
    ) async throws -> (any Channel)? {
        guard configuration.host != nil || configuration.socketPath != nil else { return nil }
        let core = core
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.writeBufferWaterMark, value: Self.waterMark)
            .childChannelInitializer { channel in
                Self.configure(channel, core, contexts)
            }
        if let path = configuration.socketPath {
            return try await UnixListener.bind(bootstrap, to: path)
        }
        guard let host = configuration.host else { return nil }
        return
            try await bootstrap
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .deadPeersGivenUp()
            .bind(host: host, port: configuration.port).get()
    }

    private static var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        .init(low: Limits.rpcOutboundLowWaterBytes, high: Limits.rpcOutboundHighWaterBytes)
    }

    /// Gives a new connection its place and its first handlers.
    static func configure(
        _ channel: any Channel, _ core: ServerCore, _ contexts: [LoopContext]
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            guard let loop = contexts.first(where: { $0.eventLoop === channel.eventLoop }),
                let budget = core.edge.open(channel)
            else { throw ChannelError.inappropriateOperationForState }
            try channel.pipeline.syncOperations.addHandlers(
                ConnectionGuard(budget), ProtocolSniffer(core: core, loop: loop, budget: budget))
        }
    }

    // MARK: Inside the process

    /// Serves one end of a pair of connected sockets; nil if the server does not run.
    func adopt(_ socket: NIOBSDSocket.Handle) -> EventLoopFuture<any Channel>? {
        guard stopping.current == nil, let contexts = loops.current,
            let loop = contexts.randomElement()
        else { return nil }
        let core = core
        return ClientBootstrap(group: loop.eventLoop)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            .channelInitializer { channel in Self.configure(channel, core, contexts) }
            .withConnectedSocket(socket)
    }

    // MARK: Stopping

    /// How long cancelled calls may take to end, in milliseconds.
    private static let patienceMilliseconds: Int64 = 5_000

    /// Drains all event loops at once; each step is done everywhere before the next begins.
    ///
    /// What the grace leaves is the time that slow readers have for their last answers.
    private func drain(_ contexts: [LoopContext]) async throws {
        let grace = TimeAmount.milliseconds(configuration.drainGraceMilliseconds)
        let end = NIODeadline.now() + grace + .milliseconds(Self.patienceMilliseconds)
        try await onEach(contexts) { context in
            context.eventLoop.submit { context.drain() }
        }
        let logger = core.logger
        try await onEach(contexts) { context in
            let loop = context.eventLoop
            let cancelling = loop.scheduleTask(in: grace) { context.cancelCalls() }
            let leaving = loop.scheduleTask(deadline: end) {
                logger.error("leaving calls behind that do not heed their cancellation")
                context.stopWaiting()
            }
            return loop.flatSubmit { context.whenIdle() }.always { _ in
                cancelling.cancel()
                leaving.cancel()
            }
        }
        let soonest = NIODeadline.now() + .milliseconds(Limits.rpcCloseMilliseconds)
        try await onEach(contexts) { context in
            context.eventLoop.flatSubmit { context.closeConnections(until: max(end, soonest)) }
        }
        // A client that left does not end what was begun for it, and what is done comes back here.
        let last = max(end, .now() + .milliseconds(Limits.rpcCloseMilliseconds))
        try await onEach(contexts) { context in
            let loop = context.eventLoop
            let leaving = loop.scheduleTask(deadline: last) {
                logger.error("leaving pages behind that do not heed their cancellation")
                context.stopWaitingForErrands()
            }
            return loop.flatSubmit { context.whenErrandsEnd() }.always { _ in leaving.cancel() }
        }
        try await onEach(contexts) { context in
            context.eventLoop.submit { context.stop() }
        }
    }

    /// Begins something on all event loops, then waits until it is done on each.
    private func onEach(
        _ contexts: [LoopContext], _ body: (LoopContext) -> EventLoopFuture<Void>
    ) async throws {
        for step in contexts.map(body) { try await step.get() }
    }
}

extension RPCServerConfiguration.Credentials {
    fileprivate var verifier: (any CredentialVerifier)? {
        switch self {
        case .verified(let verifier): verifier
        case .none: nil
        }
    }
}

/// Runs a server while `body` runs, then drains it.
package func withRPCServer<Value>(
    _ configuration: RPCServerConfiguration, services: [ServiceRegistration],
    _ body: (RPCServer) async throws -> Value
) async throws -> Value {
    let server = try RPCServer(configuration, services: services)
    async let running: Void = server.run()
    do {
        _ = try await server.address
        let value = try await body(server)
        server.drain()
        try await running
        return value
    } catch {
        server.drain()
        try await running
        throw error
    }
}
