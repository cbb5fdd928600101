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
        let time =
            budget.isSpare
            ? Limits.rpcSpareMilliseconds : core.edge.limits.firstBytesMilliseconds
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
            let opening = Self.opening(
                magic, isEncrypted: isEncrypted, mayBePlain: core.mayBePlain, peer: budget.peer)
            switch opening {
            case .encryption:
                guard try addEncryption(pipeline) else { return context.close(promise: nil) }
            case .calls: try addConnection(pipeline)
            case .requests: try addHTTP(pipeline)
            case nil: return context.close(promise: nil)
            }
            context.fireChannelRead(wrapInboundOut(seen))
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    /// What a connection's first four bytes begin.
    enum Opening {
        /// A handshake, behind which another opening comes.
        case encryption
        /// RPC.
        case calls
        /// HTTP.
        case requests
    }

    /// What becomes of a connection by its first four bytes; nil if it is closed.
    static func opening(
        _ magic: UInt32, isEncrypted: Bool, mayBePlain: Bool, peer: PeerAddress
    ) -> Opening? {
        if !isEncrypted, magic >> 16 == handshake { return .encryption }
        guard isEncrypted || mayBePlain || peer.isOnThisMachine else { return nil }
        if Frame.Kind(rawValue: magic) != nil { return .calls }
        return httpVerbs.contains(magic) ? .requests : nil
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
