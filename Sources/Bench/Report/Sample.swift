/// Something measured again and again: one of ours, or a peer, at a number of callers.
package struct Series: Hashable, Sendable, Encodable {
    /// What is measured, such as `bare` or `raw`.
    package var name: String
    /// How many callers wait for answers at once.
    package var callers: Int

    /// Names a series.
    package init(_ name: String, callers: Int) {
        self.name = name
        self.callers = callers
    }
}

/// What one round of one series came to.
package struct Sample: Sendable, Encodable {
    /// What was measured.
    package var series: Series
    /// The round, from 1.
    package var round: Int
    /// The figures by name, see ``Figure``.
    package var figures: [String: Double]

    /// Makes a sample.
    package init(series: Series, round: Int, figures: [String: Double]) {
        self.series = series
        self.round = round
        self.figures = figures
    }
}

/// The medians of a series over its rounds.
package struct Medians: Sendable, Encodable {
    /// What was measured.
    package var series: Series
    /// How many rounds there were.
    package var rounds: Int
    /// The median of each figure.
    package var figures: [String: Double]
    /// How far apart the rounds' rates are: the largest less the smallest, over the median.
    package var rateSpread: Double?
}

/// The names of figures, each with its unit last.
package enum Figure {
    /// Calls, holds or chats in a second.
    package static let perSecond = "perSecond"
    /// Calls that fell due in a second, in an open loop.
    package static let offered = "offeredPerSecond"
    /// Megabytes (10⁶) of attachments in a second, in each direction.
    package static let megabytes = "megabytesPerSecond"
    /// How many there were.
    package static let count = "count"
    /// How long the round took.
    package static let seconds = "seconds"
    /// How long a call took on average.
    package static let mean = "meanMicroseconds"
    /// Half of the calls took no longer.
    package static let p50 = "p50Microseconds"
    /// 99 of 100 calls took no longer.
    package static let p99 = "p99Microseconds"
    /// 999 of 1,000 calls took no longer.
    package static let p999 = "p999Microseconds"
    /// Processor time of the server's process for each call.
    package static let serverCPU = "serverCPUMicroseconds"
    /// Processor time of the caller's process for each call.
    package static let clientCPU = "clientCPUMicroseconds"
    /// The median time of a COMMIT with its sync.
    package static let commit = "commitMilliseconds"
    /// The mean time of the server's own batches.
    package static let batch = "batchMilliseconds"
    /// The mean number of writes in the server's batches.
    package static let batchWrites = "writesPerBatch"
    /// What opening a store took.
    package static let opening = "openingMilliseconds"
    /// Transactions that PostgreSQL undid for each one that it committed: attempts made again
    /// because others were in the way.
    package static let undone = "undonePerCommit"
    /// What the server's process keeps in memory.
    package static let resident = "residentMebibytes"
    /// What each idle connection adds to that.
    package static let bytesPerConnection = "bytesPerConnection"
    /// Allocations in the server's process for each call.
    package static let serverAllocations = "serverAllocations"
    /// The bytes of these.
    package static let serverAllocatedBytes = "serverAllocatedBytes"
    /// Allocations in the caller's process for each call.
    package static let clientAllocations = "clientAllocations"
    /// The bytes of these.
    package static let clientAllocatedBytes = "clientAllocatedBytes"
    /// Connections opened in a second, a verified first call on each included, one after the other.
    package static let openedPerSecond = "openedPerSecond"
}
