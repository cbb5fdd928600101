extension Limits {
    /// Violations an audit spells out for each checker: enough to see the pattern; all are counted.
    package static let auditViolationsTold = 20

    /// What SQLite may keep of a store's pages for each half of an audit, in KiB.
    ///
    /// With its usual 2 MiB the same pages are read again and again. One audit runs at a time.
    package static let auditCacheKibibytes = 131_072

    /// How much of a store's file an audit asks the kernel for at once: what Linux reads ahead
    /// where nobody has set another length.
    package static let auditReadAheadBytes = 131_072

    /// Rows that one slice of an audit's walk asks for at once: enough that asking costs nothing
    /// beside them, and with PostgreSQL an answer stays within some megabytes.
    package static let auditSliceRows = 5_000

    /// How many numbers of rows that others point at an audit remembers, as a power of two: in
    /// 512 KiB most of the lots that calls were paid from of late.
    package static let auditFoundNumbersBits = 16

    /// How many rows an audit goes on by to the next one that is pointed at, before it searches: a
    /// search costs about as much as ten steps.
    package static let auditNearNumbers = 8

    /// Write-offs after their holds' expiry that an audit keeps until it has read the holds: more
    /// late answers than a store has, and some hundred KiB.
    package static let auditLateChargesKept = 10_000

    /// Customers whose standing one pass of an audit keeps: each takes about 150 bytes.
    ///
    /// Of more there is a second pass over the transfers.
    package static let auditCustomersAtOnce = 500_000

    /// What who asks for a second audit is told to wait: most take less.
    package static let auditRetryMilliseconds: Int64 = 5_000
}
