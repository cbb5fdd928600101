import TollgateKernel

/// How long an address takes to answer: rises at once, falls slowly.
///
/// The peak-sensitive moving average of Twitter's Finagle: one slow answer counts in full, and what
/// it said fades with ``Limits/clientLatencyMemoryNanoseconds``.
struct PeakLatency: Equatable {
    private var nanoseconds: Double = 0
    private var stamp: Int64 = 0

    /// The average at a moment, in nanoseconds; 0 if nothing is known or all of it has faded.
    func value(at now: Int64) -> Double { nanoseconds * Self.remainder(after: now - stamp) }

    /// Takes in one answer's time.
    mutating func observe(_ latency: Int64, at now: Int64) {
        let latency = Double(max(latency, 1))
        if latency >= nanoseconds {
            nanoseconds = latency
        } else {
            let kept = Self.remainder(after: now - stamp)
            nanoseconds = nanoseconds * kept + latency * (1 - kept)
        }
        stamp = max(stamp, now)
    }

    /// How much of an observation is left after so many nanoseconds, from 1 down to 0: e to the
    /// minus x, by its series.
    private static func remainder(after elapsed: Int64) -> Double {
        let x = Double(max(elapsed, 0)) / Double(Limits.clientLatencyMemoryNanoseconds)
        return 1 / (1 + x + x * x / 2)
    }
}
