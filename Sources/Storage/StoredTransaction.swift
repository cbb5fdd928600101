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

    init(_ connection: StoreConnection) { self.connection = connection }

    var accounts: any AccountRepository { StoredAccounts(connection: connection) }
    var ledger: any LedgerRepository { StoredLedger(connection: connection) }
    var analytics: any AnalyticsRepository { StoredAnalytics(connection: connection) }
    var auth: any AuthRepository { StoredAuth(connection: connection) }
    var chat: any ChatRepository { StoredChat(connection: connection) }
    var jobs: any JobRepository { StoredJobs(connection: connection) }
    var operations: any OperationsRepository { StoredOperations(connection: connection) }
    var orders: any OrderRepository { StoredOrders(connection: connection) }
    var outbox: any OutboxRepository { StoredOutbox(connection: connection) }
    var pushes: any PushRepository { StoredPushes(connection: connection) }
}

/// What a caller asked for at most, within what one answer may hold.
func bounded(_ limit: Int) -> Int { min(max(limit, 0), Limits.rowsInOneAnswer) }
