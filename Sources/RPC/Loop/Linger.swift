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
    mutating func lookForBytes(isNeeded: () -> Bool) {
        guard let descriptor else { return }
        var socket = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        policy.look {
            if poll(&socket, 1, 0) != 0 { return .rewarded }
            // Whether bytes would have come in time is not known.
            return isNeeded() ? .interrupted : .waiting
        }
    }
}

extension LingerPolicy {
    /// What one look found.
    enum Glance {
        case rewarded, interrupted, waiting
    }

    /// Looks until something is found or the time is over, if it is worth it.
    mutating func look(_ glance: () -> Glance) {
        let patience = TimeAmount.microseconds(Limits.rpcLingerMicroseconds)
        let start = NIODeadline.now()
        guard wantsToLook(at: start) else { return }
        while true {
            let found = glance()
            let now = NIODeadline.now()
            if now - start > .microseconds(Limits.rpcLingerOverrunMicroseconds) {
                return overran(at: now)
            }
            switch found {
            case .rewarded where now - start < patience: return looked(isRewarded: true)
            case .interrupted: return interrupted()
            case .rewarded, .waiting:
                if now - start >= patience { return looked(isRewarded: false) }
            }
            // Who is to answer may wait for this very processor.
            sched_yield()
        }
    }
}
