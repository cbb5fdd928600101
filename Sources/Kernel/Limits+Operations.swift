extension Limits {
    /// Violations an audit spells out for each checker: enough to see the pattern; all are counted.
    package static let auditViolationsTold = 20

    /// What SQLite may keep of a store's pages for each half of an audit, in KiB.
    ///
    /// With its usual 2 MiB the same pages are read again and again. One audit runs at a time.
    package static let auditCacheKibibytes = 65_536

    /// Transfers that one slice of an audit's walk looks at: some tens of milliseconds, after which
    /// the reader is free and the log may be moved.
    package static let auditSliceRows = 5_000

    /// What who asks for a second audit is told to wait: most take less.
    package static let auditRetryMilliseconds: Int64 = 5_000
}
