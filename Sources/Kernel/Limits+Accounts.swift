extension Limits {
    /// Lots one hold may reserve: each is a row written when the hold begins and again when it
    /// ends, so 32 keep both inside the millisecond a transaction may take.
    ///
    /// Who has more lots spends the first 32 first; that many open lots take dozens of purchases
    /// with nothing used in between.
    package static let lotsOfOneHold = 32

    /// A transfer's reference: an identifier or a request id with a prefix, small enough to print.
    package static let transferReferenceBytes = 64

    /// A transfer's key: a prefix and a SHA-256 in hexadecimal, small enough for an index.
    package static let transferKeyBytes = 128

    /// How long a caller waits before asking again about a request that is being answered: about
    /// what a short answer takes.
    package static let inProgressRetryMilliseconds: Int64 = 2_000

    /// Breaks of the hash chain that an audit spells out: enough to see where it began.
    package static let chainViolationsTold = 20
}
