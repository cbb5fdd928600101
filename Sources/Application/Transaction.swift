package import Accounts
package import Analytics
package import Auth
package import Chat
package import Operations
package import Orders
package import Weixin

/// One transaction's view of every repository.
///
/// It lives as long as the closure it is given to, on the store's own thread; it is not Sendable
/// and must not escape. In `Store.read` the repositories refuse to write.
package protocol Transaction {
    /// What operators did.
    var adminLog: any AdminLogRepository { get }
    /// Customers and free trials.
    var accounts: any AccountRepository { get }
    /// Balances, lots, holds, transfers.
    var ledger: any LedgerRepository { get }
    /// Rollups.
    var analytics: any AnalyticsRepository { get }
    /// Keys for programs.
    var apiKeys: any APIKeyRepository { get }
    /// Login codes and sessions.
    var auth: any AuthRepository { get }
    /// Models, channels, usage.
    var chat: any ChatRepository { get }
    /// What is kept about people who leave.
    var departures: any DepartureRepository { get }
    /// Schedules, leases, runs.
    var jobs: any JobRepository { get }
    /// Logins by QR code that are under way.
    var loginAttempts: any LoginAttemptRepository { get }
    /// Incidents and the audit.
    var operations: any OperationsRepository { get }
    /// Products, orders, payments.
    var orders: any OrderRepository { get }
    /// People's own keys at providers.
    var ownKeys: any OwnKeyRepository { get }
    /// Rows that are kept for a time.
    var retention: any RetentionRepository { get }
    /// Kinds of accounts.
    var tiers: any TierRepository { get }
    /// Messages to people.
    var outbox: any OutboxRepository { get }
    /// Received pushes.
    var pushes: any PushRepository { get }
}
