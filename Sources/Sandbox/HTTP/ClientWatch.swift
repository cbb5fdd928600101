internal import NIOCore
internal import Synchronization

/// Notices in the connection's pipeline that the client closed its side.
///
/// The server lets a half-closed connection live, so the channel stays active; a stream that says
/// nothing for a while would never learn that nobody listens.
final class ClientWatch: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// Whether the client is still there; read from any thread.
    final class State: Sendable {
        private let hasLeftFlag = Atomic(false)

        var hasLeft: Bool { hasLeftFlag.load(ordering: .relaxed) }
        fileprivate func leave() { hasLeftFlag.store(true, ordering: .relaxed) }
    }

    let state = State()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { state.leave() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.leave()
        context.fireChannelInactive()
    }

    /// The state of a connection's client.
    static func state(of channel: any Channel) async throws -> State {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: ClientWatch.self).state
        }.get()
    }
}
