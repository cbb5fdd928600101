internal import Accounts
internal import Analytics
internal import Application
internal import Auth
internal import Chat
internal import Operations
internal import Orders
internal import TollgateKernel
internal import Weixin

/// Every repository over one connection, inside the transaction its owner has opened.
struct StoredTransaction: Transaction {
    /// The connection.
    let connection: StoreConnection

    /// The same, or none if the state may be old: money and login sessions are never read so, on
    /// either engine.
    private let freshConnection: StoreConnection

    init(_ connection: StoreConnection) {
        self.connection = connection
        freshConnection = connection
    }

    private init(staleOver connection: StoreConnection) {
        self.connection = connection
        freshConnection = .refusing
    }

    /// A closure over a state that is as fresh as was asked for.
    static func over<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) -> @Sendable (any Transaction) throws -> Value {
        guard freshness == .stale else { return body }
        return { transaction in
            guard let stored = transaction as? StoredTransaction else {
                return try body(transaction)
            }
            return try body(StoredTransaction(staleOver: stored.connection))
        }
    }

    var adminLog: any AdminLogRepository { StoredAdminLog(connection: connection) }
    var accounts: any AccountRepository { StoredAccounts(connection: freshConnection) }
    var ledger: any LedgerRepository { StoredLedger(connection: freshConnection) }
    var analytics: any AnalyticsRepository { StoredAnalytics(connection: connection) }
    var apiKeys: any APIKeyRepository { StoredAPIKeys(connection: freshConnection) }
    var auth: any AuthRepository { StoredAuth(connection: freshConnection) }
    var chat: any ChatRepository { StoredChat(connection: connection) }
    var departures: any DepartureRepository { StoredDepartures(connection: freshConnection) }
    var jobs: any JobRepository { StoredJobs(connection: connection) }
    var operations: any OperationsRepository { StoredOperations(connection: connection) }
    var loginAttempts: any LoginAttemptRepository {
        StoredLoginAttempts(connection: freshConnection)
    }
    var orders: any OrderRepository { StoredOrders(connection: connection) }
    var ownKeys: any OwnKeyRepository { StoredOwnKeys(connection: freshConnection) }
    var retention: any RetentionRepository { StoredRetention(connection: connection) }
    var tiers: any TierRepository { StoredTiers(connection: freshConnection) }
    var outbox: any OutboxRepository { StoredOutbox(connection: connection) }
    var pushes: any PushRepository { StoredPushes(connection: connection) }
}

/// What a caller asked for at most, within what one answer may hold.
func bounded(_ limit: Int) -> Int { min(max(limit, 0), Limits.rowsInOneAnswer) }
