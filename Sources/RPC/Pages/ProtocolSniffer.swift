import NIOCore
import NIOHTTP1
import NIOSSL
import TollgateKernel

/// Finds out by a connection's first four bytes whether it speaks RPC or HTTP, then leaves.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let core: ServerCore
    private let loop: LoopContext
    private let budget: ConnectionBudget
    private let isEncrypted: Bool
    private var seen = ByteBuffer()
    private var patience: Scheduled<Void>?
    private var isDecided = false

    init(
        core: ServerCore, loop: LoopContext, budget: ConnectionBudget? = nil,
        isEncrypted: Bool = false
    ) {
        self.isEncrypted = isEncrypted
        self.core = core
        self.loop = loop
        self.budget = budget ?? ConnectionBudget(core.edge)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Whoever connects and says nothing does not keep the place for ever.
        let channel = context.channel
        let time = budget.isSpare ? Limits.rpcSpareMilliseconds : Limits.rpcFirstBytesMilliseconds
        patience = context.eventLoop.scheduleTask(in: .milliseconds(time)) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Whoever is only told that there is no room has no more time than that.
        if !budget.isSpare { patience?.cancel() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        patience?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isDecided { return context.fireChannelRead(data) }
        seen.writeImmutableBuffer(unwrapInboundIn(data))
        guard let magic = seen.getInteger(at: seen.readerIndex, as: UInt32.self) else { return }
        isDecided = true
        budget.spoke()
        do {
            let pipeline = context.pipeline.syncOperations
            if !isEncrypted, magic >> 16 == Self.handshake {
                guard try addEncryption(pipeline) else { return context.close(promise: nil) }
            } else if !isEncrypted, !core.mayBePlain, !budget.peer.isOnThisMachine {
                return context.close(promise: nil)
            } else if Frame.Kind(rawValue: magic) != nil {
                try addConnection(pipeline)
            } else if Self.httpVerbs.contains(magic) {
                try addHTTP(pipeline)
            } else {
                return context.close(promise: nil)
            }
            context.fireChannelRead(wrapInboundOut(seen))
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    /// Has TLS go before another sniffer, which sees what was encrypted; false without a
    /// certificate.
    private func addEncryption(
        _ pipeline: ChannelPipeline.SynchronousOperations
    ) throws -> Bool {
        // Nobody is given a handshake's worth of work to hear that there is no room.
        guard let certificates = core.certificates, !budget.isSpare else { return false }
        try pipeline.addHandler(
            ProtocolSniffer(core: core, loop: loop, budget: budget, isEncrypted: true),
            position: .after(self))
        try pipeline.addHandler(
            NIOSSLServerHandler(context: certificates.context), position: .after(self))
        return true
    }

    /// Who the peer is by the certificate it showed in the handshake.
    private func identity(
        _ pipeline: ChannelPipeline.SynchronousOperations
    ) -> ConnectionIdentity? {
        guard isEncrypted, let certificates = core.certificates,
            let encryption = try? pipeline.handler(type: NIOSSLServerHandler.self),
            let certificate = encryption.peerCertificate
        else { return nil }
        return certificates.identity(of: certificate)
    }

    /// The first two bytes of TLS: a handshake of version 3.
    private static let handshake: UInt32 = 0x1603

    private func addConnection(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        guard !budget.isSpare else {
            return try pipeline.addHandler(NoRoomHandler(), position: .after(self))
        }
        try pipeline.addHandler(
            ServerConnection(
                core: core, loop: loop, budget: budget, identity: identity(pipeline)),
            position: .after(self))
    }

    private func addHTTP(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        // Added from the last to the first, each right behind the sniffer.
        try pipeline.addHandler(
            HTTPConnection(
                core: core, loop: loop, budget: budget, identity: identity(pipeline)),
            position: .after(self))
        try pipeline.addHandler(HTTPServerPipelineHandler(), position: .after(self))
        try pipeline.addHandler(
            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
            position: .after(self))
        try pipeline.addHandler(HTTPResponseEncoder(), position: .after(self))
    }

    private static let httpVerbs: Set<UInt32> = Set(
        ["GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC"].map { verb in
            verb.utf8.reduce(0) { $0 << 8 | UInt32($1) }
        })
}
