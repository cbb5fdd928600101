package import TollgateKernel

/// Rows that are kept for a time and then removed.
package enum PerishableRows: String, Hashable, Sendable, CaseIterable {
    /// Refused questions.
    case refusals
    /// Ids of payment notifications that came.
    case paymentNotifications = "payment_notifications"
    /// What calls used.
    case usageRecords = "usage_records"
    /// Figures by the hour.
    case hourlyFigures = "hourly_figures"
    /// Incidents that are about no money (``Incident/Kind/isAboutMoney``).
    case incidents
    /// Messages that were sent or given up.
    case messages
    /// API keys that ended without a call.
    case apiKeys = "api_keys"
    /// Numbers of the last batches of writers that are gone.
    case writeAttempts = "write_attempts"

    /// How long they are kept.
    package var memoryMilliseconds: Int64 {
        switch self {
        case .refusals: Limits.refusalMemoryMilliseconds
        case .paymentNotifications: Limits.paymentNotificationMemoryMilliseconds
        case .usageRecords: Limits.usageMemoryMilliseconds
        case .hourlyFigures: Limits.hourlyFigureMemoryMilliseconds
        case .incidents: Limits.incidentMemoryMilliseconds
        case .messages: Limits.sentMessageMemoryMilliseconds
        case .apiKeys: Limits.endedKeyMemoryMilliseconds
        case .writeAttempts: Limits.writeAttemptMemoryMilliseconds
        }
    }

    /// Whether figures are counted from them: they stay until that was done.
    package var isCounted: Bool { self == .refusals || self == .usageRecords }
}

/// Removes rows that nobody needs any more.
///
/// Every method runs inside one transaction.
package protocol RetentionRepository {
    /// How many rows of a kind are older than `moment`, counted up to `limit`.
    func count(_ rows: PerishableRows, before moment: Timestamp, limit: Int)
        throws(StoreError) -> Int

    /// Removes rows of a kind that are older than `moment`, the oldest first; at most `limit`.
    ///
    /// - Returns: How many.
    func remove(_ rows: PerishableRows, before moment: Timestamp, limit: Int)
        throws(StoreError) -> Int

    /// Writers whose last batch is older than `moment`, the oldest first; at most `limit`.
    func writers(before moment: Timestamp, limit: Int) throws(StoreError) -> [Int64]

    /// Removes the number of one writer's last batch, if that is older than `moment`.
    ///
    /// - Returns: How many, one or none.
    func removeAttempt(of writer: Int64, before moment: Timestamp) throws(StoreError) -> Int
}
