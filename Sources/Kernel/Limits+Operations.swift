extension Limits {
    /// Violations an audit spells out for each checker: enough to see the pattern; all are counted.
    package static let auditViolationsTold = 20

    /// Transfers that one slice of an audit's walk looks at: some tens of milliseconds, after which
    /// the reader is free and the log may be moved.
    package static let auditSliceRows = 5_000

    /// What who asks for a second audit is told to wait: most take less.
    package static let auditRetryMilliseconds: Int64 = 5_000
}
