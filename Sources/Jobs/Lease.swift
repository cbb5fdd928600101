package import Operations

/// Watches a lease from outside, by the watcher's own monotonic clock.
///
/// Clocks of two machines cannot be compared, so a lease carries no time: a challenger may take it
/// over only after it saw the same (fencing number, heartbeat) unchanged for the lease's length.
/// The old holder, if it still lives, is stopped by the fencing number its writes check.
package struct LeaseWatch: Hashable, Sendable {
    /// How a lease looks to the watcher.
    package enum Verdict: Hashable, Sendable {
        /// Nobody holds it.
        case free
        /// Its holder lives, or may.
        case held
        /// Its holder was silent for the lease's length.
        case silent
    }

    private struct Sight: Hashable {
        var fencingToken: Int64
        var heartbeat: Int64
        var since: Duration
    }

    private let lease: Duration
    private var sight: Sight?

    /// Makes a watch over leases of this length.
    package init(lease: Duration) { self.lease = lease }

    /// Looks at the lease's row at a moment of the watcher's clock.
    package mutating func look(at record: JobRecord, elapsed: Duration) -> Verdict {
        guard !record.holder.isEmpty else {
            sight = nil
            return .free
        }
        guard let sight, sight.fencingToken == record.fencingToken,
            sight.heartbeat == record.heartbeat
        else {
            sight = Sight(
                fencingToken: record.fencingToken, heartbeat: record.heartbeat, since: elapsed)
            return .held
        }
        return elapsed - sight.since >= lease ? .silent : .held
    }
}
