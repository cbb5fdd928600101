import CLI

/// What an option takes, in the words of a refusal.
enum Bounds {
    /// Says what a whole number's option takes: `--transfers takes 1,000 to 20,000,000`.
    static func sentence(_ option: String, takes range: ClosedRange<Int>) -> String {
        "\(option) takes \(grouped(range.lowerBound)) to \(grouped(range.upperBound))."
    }

    /// Says what a fraction's option takes: `--seconds takes more than 0 and at most 3,600`.
    static func sentence(_ option: String, takesAtMost most: Double) -> String {
        "\(option) takes more than 0 and at most \(grouped(Int(most)))."
    }

    private static func grouped(_ number: Int) -> String { Amounts.grouped(UInt64(number)) }
}
