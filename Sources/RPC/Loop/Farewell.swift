import NIOCore
import TollgateKernel

/// How long a peer is waited for that has yet to take its last bytes.
///
/// Counted from the last time it took any, so that a slow reader has the whole of a long answer,
/// and one that reads nothing does not keep the connection.
struct ReaderPatience: Hashable, Sendable {
    private let end: NIODeadline
    private var untakenBytes: Int
    private var lastProgress: NIODeadline

    /// Begins to wait; at `end` the wait is over whatever the peer does.
    init(until end: NIODeadline, untakenBytes: Int, now: NIODeadline) {
        self.end = end
        self.untakenBytes = untakenBytes
        lastProgress = now
    }

    /// Whether the peer is waited for no longer; `isWritten` once nothing more is to come from us.
    mutating func isOver(_ now: NIODeadline, untakenBytes: Int, isWritten: Bool) -> Bool {
        // What is more than before, or still being made, keeps the peer waiting.
        if untakenBytes != self.untakenBytes || untakenBytes == 0 && !isWritten {
            self.untakenBytes = untakenBytes
            lastProgress = now
        }
        let patience =
            untakenBytes == 0 ? Limits.rpcCloseMilliseconds : Limits.rpcCloseStallMilliseconds
        return now >= min(end, lastProgress + .milliseconds(patience))
    }
}

/// Closes a connection that ends as soon as its peer's patience is used up; on the event loop.
///
/// `@unchecked Sendable`: touched on the connection's event loop alone.
final class Farewell: @unchecked Sendable {
    /// Nothing more is to come from us.
    var isWritten = false
    private let gauge: OutboundGauge
    private var patience: ReaderPatience
    private var timer: RepeatedTask?

    /// Begins to look after a connection; `close` is called once, unless ``cancel()`` was before.
    init(
        _ gauge: OutboundGauge, on eventLoop: any EventLoop, until end: NIODeadline? = nil,
        close: @escaping @Sendable () -> Void
    ) {
        let now = NIODeadline.now()
        self.gauge = gauge
        patience = ReaderPatience(
            until: end ?? now + .milliseconds(Limits.rpcCloseMaximumMilliseconds),
            untakenBytes: gauge.untakenBytes, now: now)
        let period = TimeAmount.milliseconds(Limits.rpcCloseLookMilliseconds)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
            guard self.isOver(.now()) else { return }
            self.cancel()
            close()
        }
    }

    private func isOver(_ now: NIODeadline) -> Bool {
        patience.isOver(now, untakenBytes: gauge.untakenBytes, isWritten: isWritten)
    }

    /// The connection has ended.
    func cancel() {
        timer?.cancel()
        timer = nil
    }
}
