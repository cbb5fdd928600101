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

    /// Movements that one transaction adds up for a statement: ten milliseconds of a reader; and
    /// so many of the largest (``creditsInOneTransfer``) still fit 64 bits.
    package static let statementSliceRows = 5_000

    /// The most a price factor multiplies by: above it somebody mistyped.
    package static let priceFactor: Int64 = 1_000

    /// The largest denominator of a price factor: a millionth is finer than any price list.
    package static let priceFactorDenominator: Int64 = 1_000_000

    /// The most that a tier's limit can say: above what a cluster answers, it limits nothing.
    package static let callLimit: Int64 = 1_000_000_000

    /// How long a caller with too many chats under way is told to wait: about what one takes to
    /// come to its end.
    package static let concurrentChatRetryMilliseconds: Int64 = 1_000

    /// Lots that one transaction of a deletion empties: each is a transfer and a row; who has more
    /// is done in the next.
    package static let lotsOfOneForfeit = 32

    /// Rows of each kind that one transaction of a deletion erases: five kinds stay together within
    /// what a job's transaction touches.
    package static let rowsOfOneErasure = 40

    /// Deletions that one run of the sweeper goes on with: nearly all end in their first
    /// transaction.
    package static let deletionsOfOneSweep = 100

    /// How long a deletion may take before the audit tells of it: the sweeper comes by every half
    /// minute, so one that is open after an hour has failed a hundred times.
    package static let deletionMilliseconds: Int64 = 3_600_000

    /// Rows of one page of what is kept about a person: each may bring one of another table along,
    /// and 100 of either are read well within a millisecond.
    package static let exportRows = 100

    /// Payments told with one order: one is the rule, a second is an incident each time.
    package static let exportPaymentsOfOrder = 100

    /// Open lots told at once: as many as a person could ever have bought and not used.
    package static let exportLots = 1_000

    /// Bytes of what tells where an export goes on: a section's name and a request id.
    package static let exportCursorBytes = 96

    /// Bytes of an operator's name in their log.
    package static let operatorBytes = 64

    /// Bytes of the reason for an operator's act: a sentence.
    package static let adminReasonBytes = 200
}
