internal import Synchronization

/// A statement's text, known to every connection by a small number instead of by its characters.
///
/// Parameters are `$1`, `$2` … as PostgreSQL has them; SQLite takes them as names. Make each one
/// once, as a `static let`.
struct SQL: Sendable {
    private static let count = Atomic<Int>(0)

    /// The text.
    let text: String
    /// Its place in each connection's table of prepared statements.
    let number: Int

    /// Registers a text.
    init(_ text: String) {
        self.text = text
        number = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
