internal import CoreMetrics
internal import Synchronization

/// Holds one series' value and can tell it.
protocol MetricCell: AnyObject, Sendable {
    /// The value now.
    func read() -> MetricValue
}

/// A counter of whole steps: one atomic addition.
final class CounterCell: MetricCell, CounterHandler {
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        // Prometheus reads a falling counter as a restart; a negative step is the caller's defect.
        guard amount > 0 else { return }
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() { count.store(0, ordering: .relaxed) }

    func read() -> MetricValue { .integer(count.load(ordering: .relaxed)) }
}

/// A counter of fractions.
final class FloatingPointCounterCell: MetricCell, FloatingPointCounterHandler {
    private let sum = Mutex<Double>(0)

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        sum.withLock { $0 += amount }
    }

    func reset() { sum.withLock { $0 = 0 } }

    func read() -> MetricValue { .number(sum.withLock { $0 }) }
}

/// The last value set.
final class GaugeCell: MetricCell, RecorderHandler, MeterHandler {
    private let value = Mutex<Double>(0)

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }

    func read() -> MetricValue { .number(value.withLock { $0 }) }
}

/// Values by size, in buckets that are fixed when it is made: two atomic additions, so that what is
/// recorded by every call waits for nobody.
///
/// Whoever reads it while values come may see one in its bucket and not in the sum yet.
final class HistogramCell: MetricCell, RecorderHandler, TimerHandler {
    private let bounds: [Double]
    /// The bounds as timers want them, if they are seconds.
    private let nanoseconds: [Int64]
    /// The first bucket that a duration of so many bits may be in.
    private let firstBuckets: [Int]
    private let counts: InlineArray<32, Atomic<Int64>>
    /// In the unit of the bounds.
    private let sum = Mutex<Double>(0)
    /// Timers add whole nanoseconds here, so that years of them stay exact.
    private let duration = Atomic<Int64>(0)

    /// Makes an empty histogram over rising bounds, at most 31 of them.
    init(bounds: [Double]) {
        precondition(bounds.count < 32, "a histogram has at most 32 buckets")
        self.bounds = bounds
        let nanoseconds = bounds.map { Int64(($0 * 1e9).rounded()) }
        self.nanoseconds = nanoseconds
        firstBuckets = (0...64).map { bits in
            let least = bits == 0 ? 0 : Int64(bitPattern: 1 << UInt64(bits - 1))
            return nanoseconds.firstIndex { $0 >= least } ?? nanoseconds.count
        }
        counts = InlineArray { _ in Atomic(0) }
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        counts[bucket(of: value)].wrappingAdd(1, ordering: .relaxed)
        sum.withLock { $0 += value }
    }

    func recordNanoseconds(_ duration: Int64) {
        let duration = max(0, duration)
        var bucket = firstBuckets[64 - duration.leadingZeroBitCount]
        // Bounds lie further apart than powers of two, so this is a step or two.
        while bucket < nanoseconds.count, nanoseconds[bucket] < duration { bucket += 1 }
        counts[bucket].wrappingAdd(1, ordering: .relaxed)
        self.duration.wrappingAdd(duration, ordering: .relaxed)
    }

    func read() -> MetricValue {
        .histogram(
            HistogramSnapshot(
                bounds: bounds,
                counts: (0...bounds.count).map { counts[$0].load(ordering: .relaxed) },
                sum: sum.withLock { $0 } + Double(duration.load(ordering: .relaxed)) / 1e9))
    }

    /// The first bucket whose bound is not below the value, by halving.
    private func bucket(of value: Double) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The buckets of every histogram: fixed, so that series of all processes add up.
enum Buckets {
    /// Seconds, from ten microseconds (a turn of the event loop) to ten minutes (a stream's
    /// deadline): three a decade.
    static let seconds: [Double] = [
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01,
        0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
    ]

    /// Sizes and counts: powers of four, from one to sixteen million.
    static let sizes: [Double] = [
        1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
    ]
}
