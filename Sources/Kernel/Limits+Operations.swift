extension Limits {
    /// Violations an audit spells out for each checker: enough to see the pattern; all are counted.
    package static let auditViolationsTold = 20
}
