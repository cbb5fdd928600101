/// Why the store did not do what a repository was asked.
///
/// Repositories throw this inside a transaction; the transaction is then undone. Use cases turn
/// what they expect into a ``Failure`` and let the rest become `internal_error`.
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A CHECK, UNIQUE or FOREIGN KEY of the schema forbade it; the text names the constraint.
    case constraint(String)
    /// The row changed since it was read (guarded update), or does not exist.
    case conflict(String)
    /// The lease under which it was written has a new holder: nothing more may be written under it,
    /// and trying again never helps.
    case fenced(String)
    /// A stored value is impossible: the file was damaged or written by something else.
    case corrupt(String)
    /// The engine failed: disk full, I/O error, locked.
    case engine(String)

    package var description: String {
        switch self {
        case .constraint(let text): "constraint: \(text)"
        case .conflict(let text): "conflict: \(text)"
        case .fenced(let text): "fenced: \(text)"
        case .corrupt(let text): "corrupt: \(text)"
        case .engine(let text): "engine: \(text)"
        }
    }
}
