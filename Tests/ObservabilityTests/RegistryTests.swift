import CoreMetrics
import Observability
import Testing
import TollgateKernel

/// The metrics backend, through its factory as the facade uses it.
@Suite struct RegistryTests {
    private let registry = PrometheusRegistry()

    private func family(_ name: String) -> MetricFamily? {
        registry.snapshot().first { $0.name == name }
    }

    private func value(_ name: String) -> MetricValue? { family(name)?.series.first?.value }

    @Test func `increments of many tasks at once add up exactly`() async {
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask { [registry] in
                    let counter = registry.makeCounter(label: "calls", dimensions: [("a", "b")])
                    let sum = registry.makeFloatingPointCounter(label: "sums", dimensions: [])
                    let timer = registry.makeTimer(label: "waits", dimensions: [])
                    let meter = registry.makeMeter(label: "level", dimensions: [])
                    for step in 0..<5_000 {
                        counter.increment(by: 2)
                        sum.increment(by: 0.5)
                        timer.recordNanoseconds(Int64(step % 2 == 0 ? 1_000 : 2_000_000_000))
                        if task % 2 == 0 { meter.increment(by: 3) } else { meter.decrement(by: 1) }
                    }
                }
            }
        }
        #expect(value("calls_total") == .integer(80_000))
        #expect(value("sums_total") == .number(20_000))
        #expect(value("level") == .number(40_000))
        guard case .histogram(let waits)? = value("waits_seconds") else {
            Issue.record("waits_seconds is no histogram")
            return
        }
        #expect(waits.counts.reduce(0, +) == 40_000)
        #expect(waits.counts.first == 20_000)
        #expect(waits.sum == 40_000.02)
    }

    @Test func `the same labels in any order are one series`() {
        registry.makeCounter(label: "a", dimensions: [("x", "1"), ("y", "2")]).increment(by: 1)
        registry.makeCounter(label: "a", dimensions: [("y", "2"), ("x", "1")]).increment(by: 1)
        registry.makeCounter(label: "a", dimensions: [("y", "2"), ("x", "3")]).increment(by: 1)
        #expect(
            family("a_total")?.series == [
                MetricSeries(
                    labels: [MetricLabel("x", "1"), MetricLabel("y", "2")], value: .integer(2)),
                MetricSeries(
                    labels: [MetricLabel("x", "3"), MetricLabel("y", "2")], value: .integer(1)),
            ])
    }

    @Test func `counters never fall`() {
        let counter = registry.makeCounter(label: "a", dimensions: [])
        counter.increment(by: 5)
        counter.increment(by: -3)
        let fractions = registry.makeFloatingPointCounter(label: "b", dimensions: [])
        fractions.increment(by: 0.25)
        fractions.increment(by: -1)
        fractions.increment(by: .nan)
        #expect(value("a_total") == .integer(5))
        #expect(value("b_total") == .number(0.25))
        counter.reset()
        #expect(value("a_total") == .integer(0))
    }

    @Test func `gauges hold what was set last`() {
        let recorder = registry.makeRecorder(label: "open", dimensions: [], aggregate: false)
        recorder.record(Int64(7))
        recorder.record(2.5)
        #expect(value("open") == .number(2.5))
        #expect(family("open")?.kind == .gauge)
    }

    @Test func `a value lies in the bucket whose bound it reaches`() {
        let recorder = registry.makeRecorder(label: "sizes", dimensions: [], aggregate: true)
        for size in [0.0, 1, 1.5, 4, 5, 16_777_216, 16_777_217, -3, .nan] { recorder.record(size) }
        guard case .histogram(let sizes)? = value("sizes") else {
            Issue.record("sizes is no histogram")
            return
        }
        #expect(sizes.bounds == sizes.bounds.sorted())
        #expect(sizes.counts == [3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    }

    @Test func `time that ran backwards counts as none`() {
        registry.makeTimer(label: "t", dimensions: []).recordNanoseconds(-5)
        guard case .histogram(let times)? = value("t_seconds") else {
            Issue.record("t_seconds is no histogram")
            return
        }
        #expect(times.sum == 0 && times.counts.first == 1)
    }

    @Test(arguments: [
        ("tollgate.rpc-calls", "tollgate_rpc_calls_total"), ("calls_total", "calls_total"),
        ("2xx", "_2xx_total"), ("", "__total"), ("Größe", "Gr____e_total"),
    ])
    func `names become what Prometheus allows`(label: String, name: String) {
        registry.makeCounter(label: label, dimensions: []).increment(by: 1)
        #expect(value(name) == .integer(1))
    }

    @Test func `a name keeps its first kind`() {
        registry.makeMeter(label: "mixed", dimensions: []).set(Int64(4))
        registry.makeRecorder(label: "mixed", dimensions: [], aggregate: true).record(9.0)
        #expect(value("mixed") == .number(4))
        #expect(value("metrics_overflow_total") == .integer(1))
    }

    @Test func `past the bound on label sets values meet in one series`() {
        let bound = Limits.metricSeriesPerFamily
        for index in 0..<bound + 10 {
            registry.makeCounter(label: "users", dimensions: [("id", "\(index)")])
                .increment(by: 1)
        }
        let series = family("users_total")?.series ?? []
        #expect(series.count == bound + 1)
        #expect(
            series.contains(
                MetricSeries(labels: [MetricLabel("id", "other")], value: .integer(10))))
        #expect(value("metrics_overflow_total") == .integer(10))
    }

    @Test func `past the bound on names the caller goes on and the operator is told`() {
        for index in 0...Limits.metricFamilies {
            registry.makeCounter(label: "n\(index)", dimensions: []).increment(by: 1)
        }
        #expect(registry.snapshot().count == Limits.metricFamilies + 1)
        #expect(value("metrics_overflow_total") == .integer(1))
    }

    @Test func `a destroyed metric is gone and can begin anew`() {
        let first = registry.makeCounter(label: "a", dimensions: [])
        first.increment(by: 3)
        registry.destroyCounter(first)
        #expect(family("a_total") == nil)
        registry.makeCounter(label: "a", dimensions: []).increment(by: 1)
        #expect(value("a_total") == .integer(1))
    }

    @Test func `long label values are cut at a whole character`() {
        let text = String(repeating: "好", count: 100)
        registry.makeMeter(label: "m", dimensions: [("l", text)]).set(Int64(1))
        let value = family("m")?.series.first?.labels.first?.value ?? ""
        #expect(value.utf8.count <= Limits.metricLabelBytes)
        #expect(value == String(repeating: "好", count: 41) + "…")
    }
}
