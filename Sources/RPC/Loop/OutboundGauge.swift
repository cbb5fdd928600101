import Glibc
import NIOCore

/// How many bytes of a connection have left us, and its peer has not taken.
///
/// Used on the connection's event loop, while its channel is open: the socket's number may be
/// another's afterwards.
struct OutboundGauge {
    private let channel: any Channel
    private let descriptor: CInt?

    /// Makes one for a channel; without a socket only the channel's own bytes are known.
    init(_ context: ChannelHandlerContext) {
        channel = context.channel
        descriptor = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
    }

    /// Bytes that wait in this process, because the kernel takes no more.
    var waitingBytes: Int {
        (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Bytes that wait in this process, and those in the kernel that the peer's has not confirmed:
    /// one system call.
    var untakenBytes: Int {
        guard channel.isActive, let descriptor else { return waitingBytes }
        var queued: CInt = 0
        // SIOCOUTQ, tcp(7) and unix(7).
        guard ioctl(descriptor, UInt(TIOCOUTQ), &queued) == 0 else { return waitingBytes }
        return waitingBytes + Int(queued)
    }
}
