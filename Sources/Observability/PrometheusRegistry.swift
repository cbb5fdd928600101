package import CoreMetrics
internal import Synchronization
internal import TollgateKernel

/// The process's metrics: what the swift-metrics facade writes and Prometheus reads.
///
/// Names and label sets are bounded (``Limits/metricFamilies``, ``Limits/metricSeriesPerFamily``):
/// past the bound values go into one series whose labels all read `other`, and
/// `metrics_overflow_total` counts how often. Recording takes one atomic or one lock of the series;
/// the registry's own lock is taken only where a metric is made or all are read.
package final class PrometheusRegistry: MetricsFactory {
    private struct Family {
        var kind: MetricKind
        var series: [[MetricLabel]: any MetricCell] = [:]
    }

    private let help: [String: String]
    private let families = Mutex<[String: Family]>([:])
    private let overflow = CounterCell()

    /// Makes an empty registry.
    ///
    /// - Parameter help: sentences by full metric name, told to the operator beside the values.
    package init(help: [String: String] = [:]) { self.help = help }

    /// Every metric as it is now, sorted by name and labels.
    package func snapshot() -> [MetricFamily] {
        let families = families.withLock { $0 }
        var result = families.map { name, family in
            MetricFamily(
                name: name, kind: family.kind, help: help[name] ?? "",
                series: family.series
                    .map { MetricSeries(labels: $0.key, value: $0.value.read()) }
                    .sorted { Self.precedes($0.labels, $1.labels) })
        }
        result.append(
            MetricFamily(
                name: "metrics_overflow_total", kind: .counter,
                help: "Metrics made past the bounds on names and label sets.",
                series: [MetricSeries(value: overflow.read())]))
        return result.sorted { $0.name < $1.name }
    }

    private static func precedes(_ left: [MetricLabel], _ right: [MetricLabel]) -> Bool {
        left.lexicographicallyPrecedes(right) { ($0.name, $0.value) < ($1.name, $1.value) }
    }

    // MARK: Making

    package func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        cell(MetricName.counter(label), .counter, dimensions) { CounterCell() }
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        cell(MetricName.counter(label), .counter, dimensions) { FloatingPointCounterCell() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        cell(MetricName.plain(label), .gauge, dimensions) { GaugeCell() }
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else {
            return cell(MetricName.plain(label), .gauge, dimensions) { GaugeCell() }
        }
        return cell(MetricName.plain(label), .histogram, dimensions) {
            HistogramCell(bounds: Buckets.sizes)
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        cell(MetricName.seconds(label), .histogram, dimensions) {
            HistogramCell(bounds: Buckets.seconds)
        }
    }

    /// The series' cell, made if it is new.
    ///
    /// A name already used for another kind, or past the bounds, gets a cell that works and is not
    /// shown: the caller is never refused, the operator sees the count.
    private func cell<Cell: MetricCell>(
        _ name: String, _ kind: MetricKind, _ dimensions: [(String, String)],
        make: () -> Cell
    ) -> Cell {
        let labels = MetricName.labels(dimensions)
        let found: Cell? = families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            if let known = family.series[labels] { return known as? Cell }
            guard family.kind == kind, !family.series.isEmpty || families.count < Self.maximum
            else { return nil }
            if family.series.count < Limits.metricSeriesPerFamily {
                let fresh = make()
                family.series[labels] = fresh
                families[name] = family
                return fresh
            }
            overflow.increment(by: 1)
            let others = labels.map { MetricLabel($0.name, "other") }
            if let known = family.series[others] { return known as? Cell }
            let fresh = make()
            family.series[others] = fresh
            families[name] = family
            return fresh
        }
        if let found { return found }
        overflow.increment(by: 1)
        return make()
    }

    private static let maximum = Limits.metricFamilies

    // MARK: Ending

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        remove(handler)
    }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func remove(_ handler: AnyObject) {
        families.withLock { families in
            for (name, family) in families {
                guard let labels = family.series.first(where: { $0.value === handler })?.key else {
                    continue
                }
                families[name]?.series[labels] = nil
                if families[name]?.series.isEmpty == true { families[name] = nil }
                return
            }
        }
    }
}

/// Names as Prometheus has them, from what callers write.
enum MetricName {
    /// A name with the characters Prometheus allows.
    static func plain(_ label: String) -> String {
        var name = ""
        for byte in label.utf8 {
            let isDigit = (0x30...0x39).contains(byte)
            let isLetter = (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            if isDigit, name.isEmpty { name = "_" }
            name.unicodeScalars.append(isDigit || isLetter ? UnicodeScalar(byte) : "_")
        }
        return name.isEmpty ? "_" : name
    }

    /// Counters end in `_total`.
    static func counter(_ label: String) -> String { ending(plain(label), "_total") }

    /// Durations are in seconds and say so.
    static func seconds(_ label: String) -> String { ending(plain(label), "_seconds") }

    private static func ending(_ name: String, _ end: String) -> String {
        name.hasSuffix(end) ? name : name + end
    }

    /// Labels sorted by name; the first value wins where a name comes twice.
    static func labels(_ dimensions: [(String, String)]) -> [MetricLabel] {
        var labels: [MetricLabel] = []
        for (name, value) in dimensions {
            let name = plain(name)
            guard !labels.contains(where: { $0.name == name }) else { continue }
            labels.append(MetricLabel(name, Truncation.text(value, Limits.metricLabelBytes)))
        }
        return labels.sorted { $0.name < $1.name }
    }
}
