extension Schema {
    /// Checks of words as comparisons, which say the same.
    ///
    /// SQLite builds a scratch table for `word IN (…)` of three words and more, fills it, looks
    /// into it and drops it: for each row that a chat writes, for each such check. Comparisons cost
    /// a few instructions.
    static let wordChecks = Migration(
        number: 7, name: "checks of words without scratch tables",
        steps: [
            restated("holds", "source", sources), restated("usage_records", "source", sources),
            restated("holds", "state", [["held", "settled", "released", "expired"]]),
            restated("usage_records", "outcome", [["answered", "cancelled", "truncated"]]),
            restated(
                "transfers", "kind",
                [
                    ["welcome", "payment", "purchase", "usage"],
                    ["promotion", "overrun", "expiry", "adjustment", "refund"],
                ], indentation: 8),
            restated("transfers", "from_account", inFen),
            restated("transfers", "to_account", inFen),
            restated("transfers", "from_account", inMicroCredits, indentation: 16),
            restated("transfers", "to_account", inMicroCredits, indentation: 16),
        ])

    private static let sources = [["credits", "trial", "promotion"]]
    private static let inFen = [["wechat_clearing", "sales", "refunds"]]
    private static let inMicroCredits = [
        ["customer", "issued", "revenue", "promotion", "expired"], ["written_off"],
    ]

    /// The words by the lines they stand on, of which all but the first are indented.
    private static func restated(
        _ table: String, _ column: String, _ lines: [[String]], indentation: Int = 0
    ) -> Migration.Step {
        let listed = lines.map { $0.map { "'\($0)'" }.joined(separator: ", ") }
            .joined(separator: ",\n" + String(repeating: " ", count: indentation))
        let compared = lines.joined().map { "\(column) = '\($0)'" }.joined(separator: " OR ")
        return .restate(table, was: "\(column) IN (\(listed))", becomes: "(\(compared))")
    }
}
