/// A place on a write's way into the store, at which a test may end the process.
package enum CommitPoint: String, CaseIterable, Hashable, Sendable {
    /// The transaction has begun.
    case begun
    /// A closure has run; on SQLite one of several in the batch.
    case applied
    /// Whoever waited for "applied" alone was told.
    case announced
    /// COMMIT comes next.
    case committing
    /// COMMIT is on its way to PostgreSQL, and its answer was not read.
    case sent
    /// The engine has committed, and nobody was told.
    case committed
    /// The callers were told.
    case settled
}

/// Makes commits fail in tests, or the process end in them; the store of a running system has none.
package struct CommitFault: Sendable {
    /// What happens to a COMMIT.
    package enum Kind: Hashable, Sendable {
        /// It fails and nothing is kept.
        case beforeCommit
        /// All is kept, but the answer is lost.
        case afterCommit
    }

    /// Asked for each COMMIT, counted from 1.
    package var kind: @Sendable (_ commit: Int64) -> Kind?
    /// Asked for each attempt to open the store again.
    package var refusesReopening: @Sendable () -> Bool
    /// Told of each point that a write comes to, on the thread that writes.
    package var reached: @Sendable (_ point: CommitPoint) -> Void

    /// Makes a fault.
    package init(
        kind: @escaping @Sendable (_ commit: Int64) -> Kind? = { _ in nil },
        refusesReopening: @escaping @Sendable () -> Bool = { false },
        reached: @escaping @Sendable (_ point: CommitPoint) -> Void = { _ in }
    ) {
        self.kind = kind
        self.refusesReopening = refusesReopening
        self.reached = reached
    }
}
