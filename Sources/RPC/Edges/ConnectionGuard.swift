import Logging
import NIOCore
import TollgateKernel

/// Told to a connection's handlers when it has had no call for too long.
struct ConnectionIsIdle: Sendable {}

/// The first handler of every connection: counts what strangers send, and ends what nobody uses.
final class ConnectionGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let budget: ConnectionBudget
    private let idle: TimeAmount
    private var timer: Scheduled<Void>?

    init(_ budget: ConnectionBudget) {
        self.budget = budget
        idle = .milliseconds(budget.edge.limits.idleMilliseconds)
    }

    func handlerAdded(context: ChannelHandlerContext) { watch(context, for: idle) }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    private func leave() {
        timer?.cancel()
        timer = nil
        budget.closed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard budget.isVerified || budget.received(unwrapInboundIn(data).readableBytes) else {
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
    }

    private func watch(_ context: ChannelHandlerContext, for time: TimeAmount) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self, self.timer != nil else { return }
            let past = self.budget.idleTime(.now())
            if let past, past >= self.idle {
                self.timer = nil
                context.fireUserInboundEventTriggered(ConnectionIsIdle())
            } else {
                // Since the last call ended, or at worst once more the whole time.
                self.watch(context, for: self.idle - (past ?? .zero))
            }
        }
    }
}
