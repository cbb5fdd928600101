import Accounts
import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What transactions of different customers read in common on PostgreSQL: as little as can be.
@Suite(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
struct PostgreSQLConflictTests {
    private static let readPages = SQL(
        """
        SELECT DISTINCT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE mode = 'SIReadLock' AND pid = pg_backend_pid()
            AND locktype IN ('page', 'relation')
        """)

    /// Every write changes its own row of these.
    @Test func `forgetting writers that are gone reads no row of one that writes`() async throws {
        try await inTransaction(.postgreSQL) { tx throws in
            let direct = try connection(tx)
            for number in 1...9 {
                try direct.execute(
                    """
                    INSERT INTO write_attempts (writer, batch, opened_at)
                    VALUES (\(number), 1, \(number))
                    """)
            }
            let horizon = Timestamp(milliseconds: 10)
            for writer in 1...9 as ClosedRange<Int64> {
                #expect(try tx.retention.removeAttempt(of: writer, before: horizon) == 1)
                #expect(try tx.retention.removeAttempt(of: writer, before: horizon) == 0)
            }
            #expect(!(try direct.all(Self.readPages) { $0.text(0) }).contains("write_attempts"))
            // What is asked sees such a look at all of them.
            #expect(try tx.retention.writers(before: horizon, limit: 9) == [])
            #expect(try direct.all(Self.readPages) { $0.text(0) }.contains("write_attempts"))
        }
    }

    /// Holds are inserted into the primary key's last page, all of them: who reads there is in
    /// everybody's way.
    @Test(arguments: [true, false])
    func `neither a hold nor its settlement reads where every hold is inserted`(
        isSpread: Bool
    ) async throws {
        try await inTransaction(.postgreSQL) { tx throws in
            let direct = try connection(tx)
            if !isSpread { try direct.execute("DROP INDEX holds_spread") }
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: TimeSortedIdentifiers())
            _ = try ledger.grant(
                Credits(micro: 1_000), to: account().id, kind: .welcome, from: .promotion,
                key: "welcome", origin: .welcome, order: nil, reference: "", expiresAt: nil,
                at: start)
            let held = try ledger.hold(
                HoldRequest(
                    account: account().id, requestID: IdempotencyKey(rawValue: "r"),
                    requestHash: digest(1), source: .credits, amount: Credits(micro: 100),
                    trialDay: nil, trialLimit: 0, expiresAt: .after(50)), at: start)
            let afterHold = Set(try direct.all(Self.readPages) { $0.text(0) })
            _ = try ledger.settle(held.id, price: Credits(micro: 40), at: .after(1))
            let afterSettling = Set(try direct.all(Self.readPages) { $0.text(0) })
            // What is asked sees such locks at all.
            #expect(afterHold.contains("holds_once_for_a_request"), "\(afterHold)")
            for read in [afterHold, afterSettling] {
                #expect(read.contains("holds_pkey") == !isSpread, "\(read)")
                #expect(!read.contains("holds"), "\(read)")
            }
        }
    }
}
