import Accounts
import Application
import Auth
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// What somebody does to the file behind our back, and which checkers must see it.
struct Tampering: CustomTestStringConvertible, Sendable {
    var sql: String
    var checks: [String]

    var testDescription: String { sql }

    init(_ sql: String, _ checks: String...) {
        self.sql = sql
        self.checks = checks
    }

    static let all: [Tampering] = toOneRow + betweenOurOwn

    private static let toOneRow: [Tampering] = [
        Tampering("UPDATE customer_ledgers SET posted = posted + 1", "C1", "C2", "C9"),
        Tampering("UPDATE customer_ledgers SET held = held + 1", "C2"),
        Tampering("UPDATE customer_ledgers SET sequence = sequence + 1", "C2", "C9"),
        Tampering("UPDATE customer_ledgers SET posted = -1", "C1", "C2", "C3", "C9"),
        Tampering("UPDATE lots SET remaining = remaining - 1 WHERE remaining > held", "C2"),
        Tampering("UPDATE lots SET held = held + 1", "C2"),
        Tampering("UPDATE lots SET granted = remaining - 1", "C3"),
        Tampering("DELETE FROM hold_lots", "C2"),
        Tampering("UPDATE hold_lots SET amount = amount + 1", "C2"),
        Tampering("DELETE FROM transfers WHERE kind = 'usage'", "C1", "C2", "C6", "C9"),
        Tampering(
            "UPDATE transfers SET amount = amount + 1 WHERE kind = 'usage'",
            "C1", "C2", "C6", "C9"),
        Tampering(
            "UPDATE transfers SET amount = amount + 1 WHERE kind = 'welcome'", "C1", "C2", "C9"),
        Tampering("UPDATE transfers SET to_account = 'issued' WHERE kind = 'payment'", "C1"),
        Tampering("UPDATE transfers SET unit = 'fen' WHERE kind = 'usage'", "C1", "C9"),
        Tampering(
            "UPDATE transfers SET kind = 'adjustment' WHERE kind = 'usage'", "C2", "C6", "C9"),
        Tampering("UPDATE transfers SET kind = 'forfeit' WHERE kind = 'usage'", "C2", "C6", "C9"),
        Tampering(
            "UPDATE transfers SET transfer_key = 'x' || id WHERE kind = 'usage'", "C6", "C9"),
        Tampering("UPDATE transfers SET transfer_key = 'x' || id WHERE kind = 'promotion'", "C6"),
        Tampering("UPDATE holds SET settled = settled + 1 WHERE state = 'settled'", "C6"),
        Tampering("UPDATE holds SET state = 'released' WHERE state = 'settled'", "C6"),
        Tampering(
            "UPDATE holds SET state = 'settled', ended_at = 1 WHERE state = 'held'", "C2"),
        Tampering("UPDATE holds SET ended_at = NULL WHERE state = 'released'", "C6"),
        Tampering("UPDATE holds SET amount = settled - 1 WHERE state = 'settled'", "C6"),
        Tampering("UPDATE login_sessions SET account = 77", "C13"),
    ]

    /// Money that was made or moved between our own accounts: no sum to zero notices it, and no
    /// chain has it.
    private static let betweenOurOwn: [Tampering] = [
        made("promotion", "promotion", "revenue", key: "'x'", "C6"),
        made("promotion", "promotion", "revenue", key: "'settle:0000000000000'", "C6"),
        made("promotion", "issued", "revenue", key: "'x'", "C6"),
        made("usage", "promotion", "revenue", key: "'x'", "C6"),
        made("expiry", "issued", "expired", key: "'x'", "C6"),
        made("overrun", "written_off", "revenue", key: "'x'", "C6"),
        made("overrun", "written_off", "revenue", key: "'overrun:0000000000000'", "C6"),
        made("overrun", "written_off", "revenue", key: overrun, of: "state = 'held'", "C6"),
        made("overrun", "written_off", "revenue", key: overrun, of: "state = 'released'", "C6"),
        made("overrun", "written_off", "revenue", key: overrun, of: "state = 'expired'", "C6"),
        made("overrun", "written_off", "revenue", key: overrun, of: "source = 'trial'", "C6"),
        Tampering("UPDATE transfers SET from_account = 'issued' WHERE kind = 'overrun'", "C6"),
        Tampering("UPDATE transfers SET kind = 'overrun' WHERE kind = 'promotion'", "C6"),
        made("purchase", "issued", "revenue", key: "'order:0000000000001'", "C6", "C7"),
        made("purchase", "issued", "revenue", key: "'ORDER:0000000000001'", "C6", "C7"),
        made("purchase", "issued", "revenue", key: "'order:'", "C6", "C7"),
        made("purchase", "issued", "revenue", key: "'of no order'", "C6", "C7"),
        made("adjustment", "issued", "revenue", key: "'x'", "C2", "C6"),
        made("payment", "wechat_clearing", "sales", key: "'x'", unit: "fen", "C7"),
        made("payment", "wechat_clearing", "sales", key: "'payment:x'", unit: "fen", "C7"),
        made("payment", "wechat_clearing", "refunds", key: "'payment:x'", unit: "fen", "C7"),
        made("adjustment", "refunds", "sales", key: "'x'", unit: "fen", "C7"),
        made("adjustment", "refunds", "sales", key: "'accepted:1'", unit: "fen", "C7"),
        made("refund", "sales", "wechat_clearing", key: "'x'", unit: "fen", "C7"),
        Tampering("UPDATE transfers SET to_account = 'sales' WHERE kind = 'payment'", "C7"),
        Tampering("UPDATE transfers SET transfer_key = 'x' WHERE kind = 'payment'", "C7"),
        Tampering("DELETE FROM incidents WHERE kind = 'unknown_order'", "C7"),
    ]

    private static let overrun = "'overrun:' || " + AuditText.crockford("holds.id")

    /// A transfer of 10^12, once or for the holds of which a condition is true.
    private static func made(
        _ kind: String, _ from: String, _ to: String, key: String, of holds: String? = nil,
        unit: String = "micro_credits", _ checks: String...
    ) -> Tampering {
        var tampering = Tampering(
            """
            INSERT INTO transfers (id, transfer_key, kind, unit, from_account, to_account,
                amount, reference, occurred_at)
            SELECT 900, \(key), '\(kind)', '\(unit)', '\(from)', '\(to)', 1000000000000, 'r', 1
            """)
        if let holds { tampering.sql += " FROM holds WHERE \(holds)" }
        tampering.checks = checks
        return tampering
    }
}

@Suite struct AuditTests {
    private static let owner = AccountID(rawValue: 1)

    /// Books with something of every kind: grants, a payment, holds of each source and end.
    static func liveIn(_ store: any Store) async throws {
        let identifiers = CountingIdentifiers()
        let late = try await store.write { tx in
            try tx.accounts.insert(account(), openID: "openid-1")
            try tx.auth.insert(session(1))
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            _ = try ledger.grant(
                Credits(micro: 1_000), to: owner, kind: .welcome, from: .promotion, key: "welcome",
                origin: .welcome, order: nil, reference: "", expiresAt: nil, at: start)
            _ = try ledger.recordPayment(
                Money(fen: 990), as: .owedBack, key: "payment:1", reference: "trade", at: start)
            try tx.operations.insert(
                Incident(
                    key: "unknown_order:trade", kind: .unknownOrder, reference: "trade",
                    summary: "", at: start))
            _ = try ledger.settle(
                held("settled", .credits, ledger), price: Credits(micro: 150), at: .after(1))
            _ = try ledger.release(held("released", .credits, ledger), as: .released, at: .after(1))
            _ = try ledger.settle(
                held("free", .trial, ledger), price: Credits(micro: 5), at: .after(1))
            _ = try ledger.settle(
                held("ours", .promotion, ledger), price: Credits(micro: 5), at: .after(1))
            return try held("late", .credits, ledger)
        }
        #expect(try await store.sweepHolds(at: .after(50)).count == 1)
        try await store.write { tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            _ = try ledger.settle(late, price: Credits(micro: 30), at: .after(60))
            _ = try held("open", .credits, ledger)
        }
    }

    private static func held(
        _ name: String, _ source: Hold.Source, _ ledger: Ledger
    ) throws -> HoldID {
        let day = source == .trial ? ShanghaiDay(start) : nil
        let request = HoldRequest(
            account: owner, requestID: IdempotencyKey(rawValue: name), requestHash: digest(1),
            source: source, amount: Credits(micro: 100), trialDay: day, trialLimit: 5,
            expiresAt: .after(50))
        return try ledger.hold(request, at: start).id
    }

    private func complaints(_ folder: TemporaryFolder) async throws -> [String] {
        let store = try await folder.open()
        let findings = try await store.read { tx in try tx.operations.audit() }
        await store.close()
        for finding in findings {
            #expect(finding.violationCount == Int64(finding.violations.count))
            // There are no orders here.
            #expect(finding.rows > 0 || ["C7", "C8"].contains(finding.check))
        }
        return findings.filter { $0.violationCount > 0 }.map(\.check)
    }

    @Test func honestBooksAreClean() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await Self.liveIn(store)
        await store.close()
        #expect(try await complaints(folder) == [])
    }

    @Test(arguments: Tampering.all)
    func everyTamperingIsSeen(_ tampering: Tampering) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await Self.liveIn(store)
        await store.close()
        try await folder.tamper(tampering.sql)
        // SQLite's integrity check also complains about rows that break a CHECK.
        let seen = try await complaints(folder)
        #expect(seen.filter { $0 != "C13" || tampering.checks == ["C13"] } == tampering.checks)
    }

    /// No sum of the books notices such a row, and the engine's own check reads no CHECKs where it
    /// may not write.
    @Test(arguments: [
        "UPDATE lots SET origin = 'welXome'", "UPDATE accounts SET is_white_listed = 7",
        "UPDATE customer_ledgers SET held = -1",
    ])
    func aRowThatBreaksARuleIsSeen(sql: String) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await Self.liveIn(store)
        await store.close()
        try await folder.tamper(sql)
        #expect(try await complaints(folder).contains("C13"))
        let verified = try await StoreFile.verify(folder.database)
        let engine = verified.findings.first { $0.check == "C13" }
        let table = sql.split(separator: " ")[1]
        #expect(engine?.violations == ["\(table): 1 row breaks a CHECK"])
    }

    @Test func manyViolationsAreCountedAndSomeAreTold() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await store.write { tx in
            for number in 1...30 as ClosedRange<Int64> {
                try tx.accounts.insert(account(number), openID: "openid-\(number)")
            }
            try connection(tx).execute("UPDATE customer_ledgers SET sequence = 1")
        }
        let findings = try await store.read { tx in try tx.operations.audit() }
        await store.close()
        let balances = findings.first { $0.check == "C2" }
        #expect(balances?.violationCount == 30)
        #expect(balances?.violations.count == Limits.auditViolationsTold)
    }
}
