import NIOCore

/// How a connection that brought no call ends when its server stops; what calls need is seen to by
/// the server's end behind this handler.
extension HTTPConnection {
    /// Ends a connection that waits for its next request: at once, or once its peer has taken the
    /// page before.
    ///
    /// A page that is being made is left to be told whole. A request that crosses our end of the
    /// connection was not begun: nothing can be said any more, and its client asks again elsewhere.
    func drain() {
        guard connection == nil, case .waiting = phase else { return }
        closeOnceWritten()
    }

    /// Ends the connection once the page under way has left; at `end` in any case.
    func closeAfterPage(until end: NIODeadline) -> EventLoopFuture<Void> {
        guard connection == nil, let channel = context?.channel else {
            return loop.eventLoop.makeSucceededVoidFuture()
        }
        switch phase {
        case .waiting, .receiving: closeOnceWritten()
        case .answering, .closing: break  // The page's end is the connection's.
        }
        let bound = loop.eventLoop.scheduleTask(deadline: end) { channel.close(promise: nil) }
        return channel.closeFuture.always { _ in bound.cancel() }
    }
}
