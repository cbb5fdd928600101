import NIOCore
import NIOTLS

/// Tells when a client's connection is encrypted, or why it never will be; then leaves.
final class HandshakeWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    /// The handshake did not come to its end.
    enum Cut: Error {
        /// The peer closed the connection.
        case closed
        /// The peer did not go on for as long as the handshake may take.
        case silent
    }

    private let promise: EventLoopPromise<Void>
    private let patience: TimeAmount
    private var timer: Scheduled<Void>?

    /// Makes a watch over a handshake that may take so long.
    init(_ eventLoop: any EventLoop, patience: TimeAmount) {
        promise = eventLoop.makePromise()
        self.patience = patience
    }

    /// Succeeds when the connection is encrypted.
    var done: EventLoopFuture<Void> { promise.futureResult }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: patience) { [promise] in
            promise.fail(Cut.silent)
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        promise.fail(Cut.closed)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent {
            promise.succeed()
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(Cut.closed)
        context.fireChannelInactive()
    }
}
