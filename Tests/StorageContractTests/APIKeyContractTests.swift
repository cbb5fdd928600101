import Accounts
import Application
import Auth
import Operations
import Testing
import TollgateKernel

@testable import Storage

func apiKey(_ number: Int64, cap: Int64? = nil, rate: Int64? = nil) -> APIKey {
    APIKey(
        id: APIKeyID(rawValue: number), digest: digest(UInt8(number)),
        account: AccountID(rawValue: 1), name: "key %0A \(number)",
        models: [ModelName(rawValue: "demo-chat"), ModelName(rawValue: "odd%0A\nname")],
        spendCap: cap.map(Credits.init(micro:)), requestsPerMinute: rate, createdAt: start,
        expiresAt: .after(number))
}

@Suite struct APIKeyContractTests {
    @Test(arguments: Engine.all) func keysAreFoundByTheirID(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.apiKeys.insert(apiKey(1, cap: 100, rate: 5))
            #expect(try tx.apiKeys.apiKey(APIKeyID(rawValue: 1)) == apiKey(1, cap: 100, rate: 5))
            #expect(try tx.apiKeys.apiKey(APIKeyID(rawValue: 2)) == nil)
            var used = apiKey(1, cap: 100, rate: 5).used(at: .after(7))
            try tx.apiKeys.saveUse(of: used)
            #expect(try tx.apiKeys.apiKey(used.id) == used)
            used.id = APIKeyID(rawValue: 9)
            let unknown = used
            #expect(try refused { try tx.apiKeys.saveUse(of: unknown) } == .conflict)
        }
    }

    @Test(arguments: Engine.all) func listsBeginWithWhatWorksThenTheNewest(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let owner = AccountID(rawValue: 1)
            for number in 1...4 as ClosedRange<Int64> { try tx.apiKeys.insert(apiKey(number)) }
            try tx.apiKeys.revoke(APIKeyID(rawValue: 4), at: .after(5))
            try tx.apiKeys.revoke(APIKeyID(rawValue: 2), at: .after(6))
            let listed = try tx.apiKeys.apiKeys(of: owner, limit: 10)
            #expect(listed.map(\.id.rawValue) == [3, 1, 4, 2])
            #expect(listed.map(\.revokedAt) == [nil, nil, .after(5), .after(6)])
            #expect(try tx.apiKeys.apiKeys(of: owner, limit: 1).map(\.id.rawValue) == [3])
            #expect(try tx.apiKeys.unrevokedKeys(of: owner) == 2)
            #expect(try tx.apiKeys.unrevokedKeys(of: AccountID(rawValue: 2)) == 0)
        }
    }

    @Test(arguments: Engine.all) func whatIsRevokedStaysSo(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let id = APIKeyID(rawValue: 1)
            try tx.apiKeys.insert(apiKey(1))
            try tx.apiKeys.revoke(id, at: .after(5))
            try tx.apiKeys.revoke(id, at: .after(9))
            #expect(try tx.apiKeys.apiKey(id)?.revokedAt == .after(5))
            let text = SQL("UPDATE api_keys SET revoked_at = NULL WHERE id = 1")
            #expect(try refused { try connection(tx).run(text) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func theSchemaKeepsTheCap(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let id = APIKeyID(rawValue: 1)
            try tx.apiKeys.insert(apiKey(1, cap: 100))
            try tx.ledger.changeSpending(of: id, heldBy: 60, spentBy: 0)
            try tx.ledger.changeSpending(of: id, heldBy: -60, spentBy: 45)
            #expect(
                try refused { try tx.ledger.changeSpending(of: id, heldBy: 56, spentBy: 0) }
                    == .constraint)
            #expect(
                try refused { try tx.ledger.changeSpending(of: id, heldBy: -1, spentBy: 0) }
                    == .constraint)
            try tx.ledger.changeSpending(of: id, heldBy: 55, spentBy: 0)
            let key = try tx.apiKeys.apiKey(id)
            #expect(key?.spent == Credits(micro: 45))
            #expect(key?.held == Credits(micro: 55))
            let unknown = APIKeyID(rawValue: 2)
            #expect(
                try refused { try tx.ledger.changeSpending(of: unknown, heldBy: 1, spentBy: 0) }
                    == .conflict)
        }
    }

    @Test(arguments: Engine.all) func holdsRememberTheirKeyAndTheAuditReAddsIt(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
            let owner = AccountID(rawValue: 1)
            _ = try ledger.grant(
                Credits(micro: 1_000), to: owner, kind: .welcome, from: .promotion, key: "welcome",
                origin: .welcome, order: nil, reference: "", expiresAt: nil, at: start)
            try tx.apiKeys.insert(apiKey(1, cap: 500))
            let id = APIKeyID(rawValue: 1)
            func hold(_ request: String, _ amount: Int64) throws -> Hold {
                try ledger.hold(
                    HoldRequest(
                        account: owner, requestID: IdempotencyKey(rawValue: request),
                        requestHash: digest(3), source: .credits, amount: Credits(micro: amount),
                        trialDay: nil, trialLimit: 0, expiresAt: .after(1_000), apiKey: id),
                    at: start)
            }
            let first = try hold("one", 300)
            #expect(try tx.ledger.hold(first.id)?.apiKey == id)
            _ = try ledger.settle(first.id, price: Credits(micro: 120), at: .after(1))
            _ = try hold("two", 200)
            let released = try hold("three", 180)
            _ = try ledger.release(released.id, as: .released, at: .after(2))
            let key = try tx.apiKeys.apiKey(id)
            #expect(key?.spent == Credits(micro: 120))
            #expect(key?.held == Credits(micro: 200))
            #expect(try tx.operations.audit().flatMap(\.violations) == [])
            try connection(tx).run(SQL("UPDATE api_keys SET spent = spent + 1"))
            #expect(
                try tx.operations.audit().flatMap(\.violations)
                    == ["API key 1: spent 121, held 200; its holds: spent 120, held 200"])
        }
    }
}
