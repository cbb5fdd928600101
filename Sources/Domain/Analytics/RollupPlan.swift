package import TollgateKernel

/// One period of one resolution.
package struct RollupPeriod: Hashable, Sendable {
    /// How long it is.
    package var resolution: RollupResolution
    /// Its first moment.
    package var start: Timestamp
    /// The first moment after it.
    package var end: Timestamp

    /// The period a moment falls in.
    package init(_ resolution: RollupResolution, containing moment: Timestamp) {
        self.resolution = resolution
        start = resolution.start(of: moment)
        end = resolution.end(ofPeriodStarting: start)
    }
}

/// Which periods a run of the rollup counts again.
package enum RollupPlan {
    /// Every hour and every Shanghai day that rows may have been added to since the last run: from
    /// ``Limits/rollupLookBackMilliseconds`` before it to the open ones at `now`.
    ///
    /// Hours first, each resolution oldest first, so that a run can store how far it came.
    ///
    /// - Parameters:
    ///   - last: when the last complete run looked; for the first run, the oldest row's moment.
    ///     After `now` (the clock was set back) it is read as `now`.
    package static func periods(
        touchedBetween last: Timestamp, and now: Timestamp,
        lookBackMilliseconds: Int64 = Limits.rollupLookBackMilliseconds
    ) -> [RollupPeriod] {
        let from = min(last, now).adding(milliseconds: -lookBackMilliseconds)
        var periods: [RollupPeriod] = []
        for resolution in RollupResolution.allCases {
            var period = RollupPeriod(resolution, containing: from)
            periods.append(period)
            while period.end <= now {
                period = RollupPeriod(resolution, containing: period.end)
                periods.append(period)
            }
        }
        return periods
    }
}
