/// Metrics in Prometheus' text exposition format, version 0.0.4.
///
/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
package enum PrometheusText {
    /// The `Content-Type` of the text.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The text of these families, in their order.
    package static func render(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families where !family.series.isEmpty {
            if !family.help.isEmpty {
                text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
            }
            text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
            for series in family.series { append(series, family.name, to: &text) }
        }
        return text
    }

    private static func append(_ series: MetricSeries, _ name: String, to text: inout String) {
        switch series.value {
        case .integer(let count):
            text += "\(name)\(braces(series.labels)) \(count)\n"
        case .number(let value):
            text += "\(name)\(braces(series.labels)) \(number(value))\n"
        case .histogram(let histogram):
            append(histogram, series.labels, name, to: &text)
        }
    }

    /// Buckets are cumulative in the text: each holds all below its bound.
    private static func append(
        _ histogram: HistogramSnapshot, _ labels: [MetricLabel], _ name: String,
        to text: inout String
    ) {
        var total: Int64 = 0
        for (place, count) in histogram.counts.enumerated() {
            total += count
            let bound = place < histogram.bounds.count ? number(histogram.bounds[place]) : "+Inf"
            text += "\(name)_bucket\(braces(labels + [MetricLabel("le", bound)])) \(total)\n"
        }
        text += "\(name)_sum\(braces(labels)) \(number(histogram.sum))\n"
        text += "\(name)_count\(braces(labels)) \(total)\n"
    }

    private static func braces(_ labels: [MetricLabel]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Whole numbers without a fraction; infinities as Prometheus spells them.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        // Past 2^53 a Double holds no odd numbers any more: leave it its exponent.
        if value == value.rounded(), abs(value) < 9_007_199_254_740_992 {
            return String(Int64(value))
        }
        return value.description
    }
}
