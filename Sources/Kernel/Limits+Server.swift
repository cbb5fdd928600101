extension Limits {
    /// What a ping carries at most: enough to measure, too little to abuse.
    package static let pingPayloadBytes = 1_024

    /// Rows of figures one answer carries at most: 30 days of hours with some tens of figures each.
    package static let metricPointsPerAnswer = 50_000
}
