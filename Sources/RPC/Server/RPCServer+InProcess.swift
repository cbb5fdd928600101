import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

extension RPCServer {
    /// Connects a client of this process: the same frames and handlers, over a pair of sockets.
    func connectInProcess(
        _ bootstrap: ClientBootstrap, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any Channel> {
        var pair: [CInt] = [-1, -1]
        let kind = CInt(SOCK_STREAM.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
            return eventLoop.makeFailedFuture(IOError(errnoCode: errno, reason: "socketpair"))
        }
        let (ours, theirs) = (pair[0], pair[1])
        guard let adopted = adopt(ours) else {
            close(ours)
            close(theirs)
            return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        // If the server's end fails, its socket is closed, and the client's end sees that.
        let connected = bootstrap.withConnectedSocket(theirs)
        return adopted.hop(to: eventLoop).flatMap { _ in connected }
    }
}
