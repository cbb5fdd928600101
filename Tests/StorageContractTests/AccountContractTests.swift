import Accounts
import Application
import Testing
import TollgateKernel

@testable import Storage

@Suite struct AccountContractTests {
    @Test(arguments: Engine.all) func anAccountIsFoundByIdAndByDigestWithAnEmptyLedger(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let stored = account()
            #expect(try tx.accounts.account(stored.id) == stored)
            #expect(try tx.accounts.account(openIDDigest: digest(1)) == stored)
            #expect(try tx.accounts.account(AccountID(rawValue: 2)) == nil)
            #expect(try tx.accounts.account(openIDDigest: digest(2)) == nil)
            #expect(try tx.accounts.openID(of: stored.id) == "openid-1")
            #expect(try tx.accounts.openID(of: AccountID(rawValue: 2)) == nil)
            let ledger = CustomerLedger(
                account: stored.id, posted: 0, held: 0, sequence: 0, chainHash: digest(0))
            #expect(try tx.ledger.customerLedger(stored.id) == ledger)
            #expect(try tx.ledger.customerLedger(AccountID(rawValue: 2)) == nil)
        }
    }

    @Test(arguments: Engine.all) func aPersonHasOneAccount(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            var second = account(2)
            second.openIDDigest = digest(1)
            let twin = second
            #expect(
                try refused { try tx.accounts.insert(twin, openID: "openid-1") } == .constraint)
            second = account(1)
            second.openIDDigest = digest(3)
            let sameID = second
            #expect(
                try refused { try tx.accounts.insert(sameID, openID: "openid-3") } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func statusAndWhiteListChangeOnKnownAccountsOnly(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            var changed = account()
            changed.status = .frozen
            changed.isWhiteListed = true
            try tx.accounts.update(changed)
            #expect(try tx.accounts.account(changed.id) == changed)
            #expect(try refused { try tx.accounts.update(account(2)) } == .conflict)
        }
    }

    @Test(arguments: Engine.all) func permissionsAddUp(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let models = ["one", "two"].map(ModelName.init(rawValue:))
            let owner = AccountID(rawValue: 1)
            #expect(try !tx.accounts.isPermitted(models[0], for: owner))
            try tx.accounts.permit([models[0]], for: owner)
            try tx.accounts.permit(models, for: owner)
            #expect(try tx.accounts.isPermitted(models[0], for: owner))
            #expect(try tx.accounts.isPermitted(models[1], for: owner))
            try tx.accounts.insert(account(2), openID: "openid-2")
            #expect(try !tx.accounts.isPermitted(models[0], for: AccountID(rawValue: 2)))
        }
    }

    @Test(arguments: Engine.all) func freeCallsAreCountedByDayAndNeverBelowZero(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let owner = AccountID(rawValue: 1)
            let today = ShanghaiDay(start)
            let tomorrow = ShanghaiDay(number: today.number + 1)
            #expect(try tx.accounts.trialDay(of: owner, on: today).used == 0)
            try tx.accounts.save(TrialDay(account: owner, day: today, used: 1))
            try tx.accounts.save(TrialDay(account: owner, day: today, used: 2))
            #expect(try tx.accounts.trialDay(of: owner, on: today).used == 2)
            #expect(try tx.accounts.trialDay(of: owner, on: tomorrow).used == 0)
            let below = TrialDay(account: owner, day: today, used: -1)
            #expect(try refused { try tx.accounts.save(below) } == .constraint)
        }
    }
}
