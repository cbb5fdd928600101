extension Limits {
    /// How far back a rollup counts again, for rows that became visible after their moment: a chat
    /// is stored when it ends, ten minutes after its start at most, and clocks differ by less than
    /// the five minutes that gateways tolerate.
    package static let rollupLookBackMilliseconds: Int64 = 30 * 60_000
}
