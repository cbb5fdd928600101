import CoreMetrics
import Observability
import Testing

/// The text that Prometheus scrapes.
@Suite struct ExpositionTests {
    @Test func `families, labels, buckets and escapes are written as the format has them`() {
        let families = [
            MetricFamily(
                name: "calls_total", kind: .counter, help: "Calls\nby \\method.",
                series: [
                    MetricSeries(
                        labels: [MetricLabel("code", "a\"b\\c\nd"), MetricLabel("m", "模型")],
                        value: .integer(9_007_199_254_740_993)),
                    MetricSeries(value: .integer(0)),
                ]),
            MetricFamily(name: "empty", kind: .gauge, series: []),
            MetricFamily(
                name: "level", kind: .gauge,
                series: [
                    MetricSeries(labels: [MetricLabel("a", "1")], value: .number(-2)),
                    MetricSeries(labels: [MetricLabel("a", "2")], value: .number(0.1)),
                    MetricSeries(labels: [MetricLabel("a", "3")], value: .number(.infinity)),
                    MetricSeries(labels: [MetricLabel("a", "4")], value: .number(.nan)),
                    MetricSeries(labels: [MetricLabel("a", "5")], value: .number(1e300)),
                ]),
            MetricFamily(
                name: "wait_seconds", kind: .histogram,
                series: [
                    MetricSeries(
                        labels: [MetricLabel("job", "x")],
                        value: .histogram(
                            HistogramSnapshot(bounds: [0.005, 1], counts: [2, 0, 3], sum: 7.25)))
                ]),
        ]
        #expect(
            PrometheusText.render(families) == #"""
                # HELP calls_total Calls\nby \\method.
                # TYPE calls_total counter
                calls_total{code="a\"b\\c\nd",m="模型"} 9007199254740993
                calls_total 0
                # TYPE level gauge
                level{a="1"} -2
                level{a="2"} 0.1
                level{a="3"} +Inf
                level{a="4"} NaN
                level{a="5"} 1e+300
                # TYPE wait_seconds histogram
                wait_seconds_bucket{job="x",le="0.005"} 2
                wait_seconds_bucket{job="x",le="1"} 2
                wait_seconds_bucket{job="x",le="+Inf"} 5
                wait_seconds_sum{job="x"} 7.25
                wait_seconds_count{job="x"} 5

                """#)
    }

    @Test func `a registry renders with its help, sorted by name`() {
        let registry = PrometheusRegistry(help: ["b_total": "Bees."])
        registry.makeMeter(label: "c", dimensions: []).set(1.5)
        registry.makeCounter(label: "b", dimensions: []).increment(by: 2)
        #expect(
            PrometheusText.render(registry.snapshot()) == """
                # HELP b_total Bees.
                # TYPE b_total counter
                b_total 2
                # TYPE c gauge
                c 1.5
                # HELP metrics_overflow_total Metrics made past the bounds on names and label sets.
                # TYPE metrics_overflow_total counter
                metrics_overflow_total 0

                """)
    }

    @Test func `a timer's buckets are cumulative and end with all values`() {
        let registry = PrometheusRegistry()
        let timer = registry.makeTimer(label: "t", dimensions: [])
        for nanoseconds: Int64 in [10_000, 10_001, 1_000_000_000, 900_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        let text = PrometheusText.render(registry.snapshot())
        for line in [
            #"t_seconds_bucket{le="1e-05"} 1"#, #"t_seconds_bucket{le="2.5e-05"} 2"#,
            #"t_seconds_bucket{le="0.5"} 2"#, #"t_seconds_bucket{le="1"} 3"#,
            #"t_seconds_bucket{le="600"} 3"#, #"t_seconds_bucket{le="+Inf"} 4"#,
            "t_seconds_count 4", "t_seconds_sum 901.000020001",
        ] {
            #expect(text.contains(line + "\n"), "\(line) in\n\(text)")
        }
    }

    @Test func `the process tells its memory, its time and its files`() {
        let text = PrometheusText.render(ProcessMetrics.read())
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
        ] {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            let value = line?.split(separator: " ").last.flatMap { Double($0) } ?? 0
            #expect(value > 0, "\(name)")
        }
    }
}
