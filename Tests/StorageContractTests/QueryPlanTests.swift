import Application
import Operations
import Testing
import TollgateKernel

@testable import Storage

/// What runs for each call or each minute finds its rows by an index, whatever the tables hold.
@Suite struct QueryPlanTests {
    @Test(arguments: [
        (StoredLedger.LedgerText.spendableLots, 3, "lots_open"),
        (StoredLedger.LedgerText.openLots, 2, "lots_open"),
        (StoredLedger.LedgerText.expiredLots, 2, "lots_expiring"),
        (StoredLedger.LedgerText.expiredHolds, 4, "holds_open"),
        (StoredLedger.LedgerText.holdOfRequest, 2, "sqlite_autoindex_holds_1"),
        (StoredLedger.StatementText.place, 2, "sqlite_autoindex_transfers_2"),
        (StoredLedger.StatementText.totals, 3, "sqlite_autoindex_transfers_2"),
        (StoredOrders.OrderText.toQuery, 3, "orders_to_query"),
        (StoredOrders.OrderText.toClose, 2, "orders_to_close"),
        (StoredOrders.OrderText.ofAccount, 3, "orders_of_account"),
        (StoredLoginAttempts.Text.forgetCounts, 2, "login_attempt_counts_by_age"),
        (StoredOrders.OrderText.unpaid, 2, "orders_unsettled"),
        (StoredOrders.OrderText.unpaidMade, 4, "orders_unpaid"),
        (StoredRetention.Text.of(.refusals).remove, 2, "refusals_by_time"),
        (StoredRetention.Text.of(.paymentNotifications).remove, 2, "payment_notifications_by_age"),
        (StoredRetention.Text.of(.usageRecords).remove, 2, "usage_by_end"),
        (StoredRetention.Text.of(.incidents).remove, 2, "incidents_by_time"),
        (StoredRetention.Text.of(.messages).remove, 2, "outbox_ended"),
        (StoredRetention.Text.of(.apiKeys).remove, 2, "api_keys_unused"),
        (StoredRetention.Text.of(.apiKeys).remove, 2, "holds_of_api_key"),
        (StoredLoginAttempts.Text.openOfPerson, 1, "login_attempts_open"),
        (StoredLoginAttempts.Text.bySecret, 1, "sqlite_autoindex_login_attempts_2"),
    ])
    func recurringQueriesUseTheirIndex(
        _ text: SQL, _ parameters: Int, _ index: String
    ) async throws {
        try await withStore { store, _ in
            let plan = try await store.read { tx in
                // The plan is made before the values are known: zeros do.
                let explained = SQL("EXPLAIN QUERY PLAN " + text.text)
                let decode = { (row: Row) in row.text(3) }
                switch parameters {
                case 1: return try connection(tx).all(explained, 0, decode: decode)
                case 2: return try connection(tx).all(explained, 0, 0, decode: decode)
                case 3: return try connection(tx).all(explained, 0, 0, 0, decode: decode)
                default: return try connection(tx).all(explained, 0, 0, 0, 0, decode: decode)
                }
            }
            #expect(plan.contains { $0.contains("INDEX \(index)") }, "\(plan)")
        }
    }
}
