import NIOCore
import NIOHTTP1
import TollgateKernel

/// Finds out by a connection's first four bytes whether it speaks RPC or HTTP, then leaves.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let core: ServerCore
    private let loop: LoopContext
    private var seen = ByteBuffer()
    private var patience: Scheduled<Void>?
    private var isDecided = false

    init(core: ServerCore, loop: LoopContext) {
        self.core = core
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Whoever connects and says nothing does not keep the place for ever.
        let channel = context.channel
        patience = context.eventLoop.scheduleTask(
            in: .milliseconds(Limits.rpcFirstBytesMilliseconds)
        ) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { patience?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isDecided { return context.fireChannelRead(data) }
        seen.writeImmutableBuffer(unwrapInboundIn(data))
        guard let magic = seen.getInteger(at: seen.readerIndex, as: UInt32.self) else { return }
        isDecided = true
        patience?.cancel()
        do {
            let pipeline = context.pipeline.syncOperations
            if Frame.Kind(rawValue: magic) != nil {
                try pipeline.addHandler(
                    ServerConnection(core: core, loop: loop), position: .after(self))
            } else if Self.httpVerbs.contains(magic) {
                try addPages(pipeline)
            } else {
                return context.close(promise: nil)
            }
            context.fireChannelRead(wrapInboundOut(seen))
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    private func addPages(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        // Added from the last to the first, each right behind the sniffer.
        try pipeline.addHandler(PagesHandler(core: core, loop: loop), position: .after(self))
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
