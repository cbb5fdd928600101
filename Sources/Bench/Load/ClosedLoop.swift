package import Histogram

/// Callers that each make one call after the other.
package enum ClosedLoop {
    /// What a load came to.
    package struct Outcome: Sendable {
        /// How many calls ended.
        package var count: Int
        /// From the first call's start to the last one's end, in nanoseconds.
        package var elapsedNanoseconds: Int64
        /// How long calls took, in nanoseconds, to three digits.
        package var latencies: Histogram<UInt32>

        /// The rate and the percentiles under their names.
        package var figures: [String: Double] {
            let seconds = Double(elapsedNanoseconds) / 1e9
            func percentile(_ share: Double) -> Double {
                Double(latencies.valueAtPercentile(share)) / 1_000
            }
            return [
                Figure.count: Double(count), Figure.seconds: seconds,
                Figure.perSecond: seconds > 0 ? Double(count) / seconds : 0,
                Figure.p50: percentile(50), Figure.p99: percentile(99),
                Figure.p999: percentile(99.9),
            ]
        }
    }

    /// Runs `callers` tasks that call until the time is over, and awaits their last calls.
    ///
    /// - Parameters:
    ///   - most: the most calls in all; each caller makes its share.
    ///   - executor: where the callers run; nil is the shared pool.
    ///   - call: gets the caller's number and how many calls that caller made before.
    /// - Throws: what a call throws; then the other callers stop after their present call.
    package static func run(
        callers: Int, seconds: Double, most: Int = .max,
        on executor: (any TaskExecutor)? = nil,
        _ call: @escaping @Sendable (_ caller: Int, _ number: Int) async throws -> Void
    ) async throws -> Outcome {
        let began = Clocks.monotonicNanoseconds()
        let end = began + Int64(seconds * 1e9)
        let share = most == .max ? Int.max : max(1, most / callers)
        let logs = try await withThrowingTaskGroup(of: [UInt32].self) { group in
            for caller in 0..<callers {
                group.addTask(executorPreference: executor) {
                    // A plain list while it is measured: 64 histograms would fill the caches.
                    var log: [UInt32] = []
                    log.reserveCapacity(1 << 14)
                    var now = Clocks.monotonicNanoseconds()
                    while now < end, log.count < share, !Task.isCancelled {
                        try await call(caller, log.count)
                        let after = Clocks.monotonicNanoseconds()
                        log.append(UInt32(clamping: after - now))
                        now = after
                    }
                    return log
                }
            }
            return try await group.reduce(into: [[UInt32]]()) { $0.append($1) }
        }
        let elapsed = Clocks.monotonicNanoseconds() - began
        var latencies = Histogram<UInt32>(highestTrackableValue: UInt64(UInt32.max))
        for log in logs {
            for value in log { _ = latencies.record(UInt64(max(1, value))) }
        }
        return Outcome(
            count: logs.reduce(0) { $0 + $1.count }, elapsedNanoseconds: elapsed,
            latencies: latencies)
    }
}
