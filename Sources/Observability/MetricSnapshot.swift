/// What a metric name means to Prometheus.
package enum MetricKind: String, Hashable, Sendable {
    /// Only ever rises; starts at zero with the process.
    case counter
    /// Rises and falls.
    case gauge
    /// Counts of values by their size.
    case histogram
}

/// All series under one name, as they were at one moment.
package struct MetricFamily: Hashable, Sendable {
    /// With its unit and `_total` where Prometheus wants them.
    package var name: String
    /// What kind.
    package var kind: MetricKind
    /// One sentence for the operator; empty if nobody wrote one.
    package var help: String
    /// One for each set of labels.
    package var series: [MetricSeries]

    /// Makes a family.
    package init(name: String, kind: MetricKind, help: String = "", series: [MetricSeries]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.series = series
    }
}

/// One series: its labels and its value.
package struct MetricSeries: Hashable, Sendable {
    /// Sorted by name.
    package var labels: [MetricLabel]
    /// The value.
    package var value: MetricValue

    /// Makes a series.
    package init(labels: [MetricLabel] = [], value: MetricValue) {
        self.labels = labels
        self.value = value
    }
}

/// A label's name and value.
package struct MetricLabel: Hashable, Sendable {
    /// Letters, digits and underscores.
    package var name: String
    /// Any text of bounded length.
    package var value: String

    /// Makes a label.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A series' value.
package enum MetricValue: Hashable, Sendable {
    /// A count.
    case integer(Int64)
    /// A quantity.
    case number(Double)
    /// Values by size.
    case histogram(HistogramSnapshot)
}

/// A histogram at one moment.
package struct HistogramSnapshot: Hashable, Sendable {
    /// The buckets' inclusive upper bounds, rising; the last bucket has none.
    package var bounds: [Double]
    /// Values in each bucket alone, one more than there are bounds.
    package var counts: [Int64]
    /// Of all values.
    package var sum: Double

    /// Makes a snapshot.
    package init(bounds: [Double], counts: [Int64], sum: Double) {
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
    }
}
