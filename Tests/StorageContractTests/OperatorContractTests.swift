import Accounts
import Application
import Operations
import Testing
import TollgateKernel

@testable import Storage

@Suite struct OperatorContractTests {
    private static let partner = TierName(rawValue: "partner")

    private func act(_ number: Int64, key: String? = nil) -> AdminAct {
        AdminAct(
            id: AdminActID(rawValue: number), key: key ?? "\(number)", kind: .accountFrozen,
            by: ActedBy(
                credential: "admin", person: "ann", reason: "disputed", correlationID: 7),
            object: "0000000000001", before: "active", after: "frozen", at: .after(number))
    }

    @Test(arguments: Engine.all) func everyAccountHasATier(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let owner = AccountID(rawValue: 1)
            #expect(try tx.tiers.tiers(limit: 10) == [.standard])
            #expect(try tx.accounts.account(owner)?.tier == .standard)
            let tier = Tier(
                name: Self.partner, priceFactor: PriceFactor(stored: 4, 5),
                limits: CallLimits(tokensPerMinute: 5))
            try tx.tiers.save(tier)
            try tx.tiers.setTier(Self.partner, of: owner)
            #expect(try tx.accounts.account(owner)?.tier == tier)
            #expect(try tx.accounts.account(openIDDigest: digest(1))?.tier == tier)
            try tx.tiers.save(.init(name: Self.partner, priceFactor: .one, limits: .none))
            #expect(try tx.accounts.account(owner)?.tier.limits == CallLimits.none)
            #expect(try tx.tiers.tier(Self.partner)?.priceFactor == .one)
            let unknown = AccountID(rawValue: 9)
            #expect(
                try refused { try tx.tiers.setTier(.standard, of: unknown) } == .conflict)
            #expect(
                try refused { try tx.tiers.setTier(TierName(rawValue: "none"), of: owner) }
                    == .constraint)
        }
    }

    @Test(arguments: Engine.all) func actsAreKeptForEverAndOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...3 as ClosedRange<Int64> { try tx.adminLog.insert(act(number)) }
            #expect(try tx.adminLog.adminActs(before: nil, limit: 2) == [act(3), act(2)])
            #expect(
                try tx.adminLog.adminActs(before: AdminActID(rawValue: 2), limit: 9) == [act(1)])
            #expect(try tx.adminLog.adminAct(key: "2") == act(2))
            #expect(try tx.adminLog.adminAct(key: "4") == nil)
            let twin = act(4, key: "2")
            #expect(try refused { try tx.adminLog.insert(twin) } == .constraint)
            for text in ["UPDATE admin_acts SET reason = ''", "DELETE FROM admin_acts"] {
                let change = SQL(text)
                #expect(try refused { try connection(tx).run(change) } == .constraint)
            }
        }
    }

    @Test(arguments: Engine.all) func theAuditSeesCallsMiscountedAndAdjustmentsOfNobody(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
            let owner = AccountID(rawValue: 1)
            _ = try ledger.grant(
                Credits(micro: 100), to: owner, kind: .adjustment, from: .issued,
                key: "adjustment:1", origin: .adjustment, order: nil, reference: "",
                expiresAt: nil, at: start)
            #expect(
                try tx.operations.audit().flatMap(\.violations)
                    == ["adjustment 2 of 100 has no operator's act"])
            var adjusted = act(1, key: "adjustment:1")
            adjusted.kind = .creditsAdjusted
            try tx.adminLog.insert(adjusted)
            #expect(try tx.operations.audit().flatMap(\.violations) == [])
            adjusted.id = AdminActID(rawValue: 2)
            adjusted.key = "adjustment:2"
            try tx.adminLog.insert(adjusted)
            try connection(tx).run(SQL("UPDATE customer_ledgers SET open_calls = 1"))
            #expect(
                try tx.operations.audit().flatMap(\.violations) == [
                    "account 1: 1 calls under way, 0 open holds",
                    "act 2 adjusted credits without a transfer",
                ])
        }
    }

    @Test(arguments: Engine.all) func activityIsStoredWithTheBalance(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            let owner = AccountID(rawValue: 1)
            let old = try #require(try tx.ledger.customerLedger(owner))
            #expect(old.activity == .none)
            var new = old
            new.activity = AccountActivity(
                openCalls: 3, requests: MinuteCount(minute: 4, count: 5),
                tokens: MinuteCount(minute: 6, count: 7))
            try tx.ledger.save(new, replacing: old)
            #expect(try tx.ledger.customerLedger(owner) == new)
            var impossible = new
            impossible.activity.openCalls = -1
            let wrong = impossible
            #expect(try refused { try tx.ledger.save(wrong, replacing: old) } == .constraint)
        }
    }
}
