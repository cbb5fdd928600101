/// Everything that a benchmark has to say, as `--json` writes it.
package struct BenchReport: Sendable, Encodable {
    /// Which benchmark: `rpc`, `store` or `chat`.
    package var bench: String
    /// When it ran, as the caller says it.
    package var date: String
    /// A word about this run; empty for none.
    package var note: String
    /// Where it ran.
    package var machine: Machine
    /// Of us and of what was measured beside us.
    package var versions: [String: String]
    /// What the run was told.
    package var settings: [String: Double]
    /// Each round's figures as they were.
    package var samples: [Sample]
    /// The figures that are quoted: ratios, and what budgets are made of; on the top level.
    package var headlines: [String: Double]
    /// What was to be reached.
    package var budgets: [Budget]
    /// What could not be measured here, each in a sentence that says what to install.
    package var skipped: [String] = []
    /// Where calls allocate, by series and side, the most first.
    package var allocationSites: [AllocationSite] = []

    /// The medians of ``samples``.
    package var medians: [Medians] { Statistics.medians(of: samples) }

    /// The median of a figure; nil if the series was not measured.
    package func median(_ name: String, _ callers: Int, _ figure: String) -> Double? {
        medians.first { $0.series == Series(name, callers: callers) }?.figures[figure]
    }

    /// Whether every budget is met.
    package var meetsBudgets: Bool { budgets.allSatisfy(\.isMet) }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(bench, forKey: Key("bench"))
        try container.encode(date, forKey: Key("date"))
        try container.encode(note, forKey: Key("note"))
        try container.encode(machine, forKey: Key("machine"))
        try container.encode(versions, forKey: Key("versions"))
        try container.encode(settings, forKey: Key("settings"))
        try container.encode(samples, forKey: Key("samples"))
        try container.encode(medians, forKey: Key("medians"))
        try container.encode(budgets, forKey: Key("budgets"))
        try container.encode(skipped, forKey: Key("skipped"))
        if !allocationSites.isEmpty {
            try container.encode(allocationSites, forKey: Key("allocationSites"))
        }
        for (name, value) in headlines { try container.encode(value, forKey: Key(name)) }
    }
}

/// A figure that was to be reached.
package struct Budget: Sendable, Encodable {
    /// On which side of the limit it has to be.
    package enum Side: String, Sendable, Encodable {
        case atMost
        case atLeast
    }

    /// What it is about, in a few words.
    package var name: String
    /// What was measured.
    package var measured: Double
    /// On which side.
    package var side: Side
    /// The limit.
    package var limit: Double
    /// The unit of both.
    package var unit: String

    /// Makes a budget.
    package init(_ name: String, _ measured: Double, _ side: Side, _ limit: Double, unit: String) {
        self.name = name
        self.measured = measured
        self.side = side
        self.limit = limit
        self.unit = unit
    }

    /// Whether it is met.
    package var isMet: Bool { side == .atMost ? measured <= limit : measured >= limit }

    private enum Key: String, CodingKey {
        case name, measured, side, limit, unit, isMet
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(name, forKey: .name)
        try container.encode(measured, forKey: .measured)
        try container.encode(side, forKey: .side)
        try container.encode(limit, forKey: .limit)
        try container.encode(unit, forKey: .unit)
        try container.encode(isMet, forKey: .isMet)
    }
}
