import Glibc
import NIOCore
import TollgateKernel

/// A socket that is looked at before its event loop sleeps; used on that loop alone.
///
/// Nothing is read here: the event loop is left as soon as there is something, and finds it.
struct Linger {
    private var policy = LingerPolicy()
    private let descriptor: CInt?

    /// Makes one for a channel's socket; for a channel without one it never looks.
    init(_ context: ChannelHandlerContext) {
        descriptor = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
    }

    /// Looks for bytes, if that is worth it, until there are some, the time is over or somebody
    /// else needs the loop.
    ///
    /// The channel must be open: its socket's number may be another's afterwards.
    mutating func look(isNeeded: () -> Bool) {
        guard let descriptor, policy.wantsToLook() else { return }
        let end = NIODeadline.now() + .microseconds(Limits.rpcLingerMicroseconds)
        var socket = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        repeat {
            if poll(&socket, 1, 0) != 0 { return policy.looked(isRewarded: true) }
            // Whether bytes would have come in time is not known.
            if isNeeded() { return }
        } while .now() < end
        policy.looked(isRewarded: false)
    }
}
