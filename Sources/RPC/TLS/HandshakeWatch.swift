import NIOCore
import NIOTLS
import TollgateKernel

/// Tells when a client's connection is encrypted, or why it never will be; then leaves.
final class HandshakeWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    /// The handshake did not come to its end.
    enum Cut: Error {
        /// The peer closed the connection.
        case closed
        /// The peer said nothing for ``Limits/rpcConnectTimeoutMilliseconds``.
        case silent
    }

    private let promise: EventLoopPromise<Void>
    private var patience: Scheduled<Void>?

    init(_ eventLoop: any EventLoop) { promise = eventLoop.makePromise() }

    /// Succeeds when the connection is encrypted.
    var done: EventLoopFuture<Void> { promise.futureResult }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        patience = context.eventLoop.scheduleTask(
            in: .milliseconds(Limits.rpcConnectTimeoutMilliseconds)
        ) { [promise] in
            promise.fail(Cut.silent)
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        patience?.cancel()
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
