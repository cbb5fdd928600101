package import TollgateKernel

/// How long a rollup's period is.
package enum RollupResolution: String, Hashable, Sendable, CaseIterable {
    case hour
    /// Cut at midnight in Asia/Shanghai.
    case day

    /// The start of the period a moment falls in.
    package func start(of moment: Timestamp) -> Timestamp {
        switch self {
        case .hour:
            let hour: Int64 = 3_600_000
            let milliseconds = moment.milliseconds
            let number = milliseconds >= 0 ? milliseconds / hour : (milliseconds - hour + 1) / hour
            return Timestamp(milliseconds: number * hour)
        case .day:
            return ShanghaiDay(moment).start
        }
    }

    /// The start of the next period.
    package func end(ofPeriodStarting start: Timestamp) -> Timestamp {
        start.adding(milliseconds: self == .hour ? 3_600_000 : 86_400_000)
    }
}

/// What is counted.
package enum BusinessMetric: String, Hashable, Sendable, CaseIterable {
    /// Answered calls, by model; cancelled and truncated ones included.
    case chats
    /// By model.
    case promptTokens = "prompt_tokens"
    /// By model.
    case completionTokens = "completion_tokens"
    /// Refused questions, by code.
    case refusals
    /// Orders made, by product.
    case orders
    /// Orders paid, by product; money that bought nothing does not count.
    case paidOrders = "paid_orders"
    /// The price of paid orders, in fen, by product.
    case revenueFen = "revenue_fen"
}

/// One figure of one period.
package struct RollupPoint: Hashable, Sendable {
    /// The period's start.
    package var periodStart: Timestamp
    /// What is counted.
    package var metric: BusinessMetric
    /// What it is split by.
    package var dimension: String
    /// The figure.
    package var value: Int64

    /// Makes a value.
    package init(
        periodStart: Timestamp, metric: BusinessMetric, dimension: String, value: Int64
    ) {
        self.periodStart = periodStart
        self.metric = metric
        self.dimension = dimension
        self.value = value
    }
}

/// Counts raw rows and stores rollups.
///
/// Every method runs inside one transaction.
package protocol AnalyticsRepository {
    /// The moment of the oldest raw row of any kind; nil if there is none. Where the first rollup
    /// starts.
    func oldestMoment() throws(StoreError) -> Timestamp?

    /// Counts the raw rows with `from` <= moment < `until` as one period starting at `from`, sorted
    /// by metric and dimension. Usage counts at its end, an order when made, a payment when booked.
    func count(from: Timestamp, until: Timestamp) throws(StoreError) -> [RollupPoint]

    /// Replaces every figure of one period: a re-run gives the same rows.
    func replace(
        _ points: [RollupPoint], resolution: RollupResolution, periodStart: Timestamp
    ) throws(StoreError)

    /// Figures of periods starting in `from` <= start < `until`, oldest first, then by metric and
    /// dimension; at most `limit`.
    func points(
        resolution: RollupResolution, from: Timestamp, until: Timestamp, limit: Int
    ) throws(StoreError) -> [RollupPoint]
}
