/// Every bound of the system in one place, each with its reason.
///
/// Targets add theirs in `extension Limits` here, grouped by target; nothing else holds a bound.
package enum Limits {
    /// An idempotency key: room for a UUID or a prefixed hash, small enough for an index.
    package static let idempotencyKeyBytes = 64

    /// Bytes of what operators name things by: short enough to type and to stand in a table.
    package static let stableNameBytes = 32

    /// Bytes of a product's key.
    package static let productKeyBytes = stableNameBytes

    /// Characters of a model's name, as Unicode counts them.
    package static let modelNameCharacters = 64

    /// Bytes of the sentence about a product or a model: a line of a list.
    package static let catalogueSummaryBytes = 200

    /// The last place in a list: room for every order an operator thinks of.
    package static let cataloguePosition: Int64 = 1_000_000

    /// Micro-credits in one transfer: 10^15 leaves 9,000 such transfers before Int64 overflows.
    package static let creditsInOneTransfer: Int64 = 1_000_000_000_000_000
}
