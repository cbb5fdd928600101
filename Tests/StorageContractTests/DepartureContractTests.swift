import Accounts
import Application
import Auth
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

@Suite struct DepartureContractTests {
    private static let owner = AccountID(rawValue: 1)

    private static func attempt(_ number: UInt8, _ state: LoginAttempt.State) throws -> LoginAttempt
    {
        LoginAttempt(
            scene: try #require(LoginScene(randomBytes: [UInt8](repeating: number, count: 16))),
            secretDigest: digest(number), source: digest(100), device: "screen", createdAt: start,
            expiresAt: .after(1_000), state: state)
    }

    private static func session(_ number: Int64, of owner: AccountID) -> LoginSession {
        LoginSession(
            id: LoginSessionID(rawValue: number), digest: digest(UInt8(number)), account: owner,
            device: "laptop", createdAt: start, expiresAt: .after(1_000))
    }

    private static func apiKey(_ number: Int64, of owner: AccountID) -> APIKey {
        APIKey(
            id: APIKeyID(rawValue: number), digest: digest(UInt8(number)), account: owner,
            name: "robot \(number)", models: [], spendCap: nil, requestsPerMinute: nil,
            createdAt: start, expiresAt: nil)
    }

    /// Everything that is kept of a person.
    private static func settle(_ openID: String, _ owner: AccountID, _ tx: any Transaction) throws {
        let number = UInt8(owner.rawValue)
        _ = try tx.auth.insert(
            LoginCode(digest: digest(10 + number), openID: openID, expiresAt: .after(1)),
            now: start)
        try tx.pushes.setFollowing(openID: openID, true, at: start)
        let states: [LoginAttempt.State] = [
            .redeemed(openID: openID), .redeemed(openID: openID), .confirmed(openID: openID),
        ]
        for (index, state) in states.enumerated() {
            try tx.loginAttempts.insert(attempt(20 + 10 * number + UInt8(index), state))
        }
        try tx.auth.insert(session(owner.rawValue, of: owner))
        try tx.apiKeys.insert(apiKey(owner.rawValue, of: owner))
        try tx.ownKeys.save(
            OwnKey(
                account: owner, channel: "a", sealed: [1, 2, 3], hint: "-key", createdAt: start))
        try tx.outbox.insert(
            OutboxMessage(
                id: OutboxID(rawValue: owner.rawValue), kind: .creditsArrived, account: owner,
                values: ["product": "Starter"], state: .sent, attempts: 0, nextAttemptAt: start,
                createdAt: start))
    }

    private static func offer(_ tx: any Transaction) throws {
        let model = ModelName(rawValue: "m")
        try tx.chat.save(
            ChatModel(
                name: model, summary: "", price: .free, maxTokens: 64, isOpenToAll: true,
                isEnabled: true, position: 1))
        try tx.chat.save(
            ChannelRoute(
                channel: "a", kind: .openAICompatible, baseURL: "http://a", sealedAPIKey: [1],
                upstreamModel: "m", priority: 1, weight: 1), for: model, isEnabled: true)
    }

    @Test(arguments: Engine.all) func whatIsKeptOfAPersonIsErasedAndOfAnotherIsNot(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let other = AccountID(rawValue: 2)
            try tx.accounts.insert(account(2), openID: "openid-2")
            try Self.offer(tx)
            try Self.settle("openid-1", Self.owner, tx)
            try Self.settle("openid-2", other, tx)
            let places = [
                "accounts.openid", "followers.openid", "login_attempts.openid",
                "login_codes.openid",
            ]
            #expect(try TextScan.columns(holding: "openid-1", tx).sorted() == places)
            #expect(
                try TextScan.columns(holding: "robot 1", tx) == ["api_keys.name"])

            try tx.departures.erase(openID: "openid-1")
            try tx.departures.begin(Self.owner, placeholder: digest(200), at: .after(5))
            #expect(try tx.departures.unfinished(after: nil, limit: 9) == [Self.owner])
            #expect(try tx.departures.erase(Self.owner, at: .after(5), limit: 2))
            #expect(try TextScan.columns(holding: "openid-1", tx) == [])
            #expect(try TextScan.columns(holding: "robot 1", tx) == [])
            #expect(try tx.auth.loginSession(digest: digest(1)) == nil)
            #expect(try tx.apiKeys.apiKey(APIKeyID(rawValue: 1))?.revokedAt == .after(5))
            #expect(try tx.ownKeys.ownKeys(of: Self.owner) == [])
            let left = try #require(try tx.accounts.account(Self.owner))
            #expect(left.status == .deleting)
            #expect(left.deletedAt == .after(5))
            #expect(left.openIDDigest == digest(200))
            #expect(!left.hasOwnKeys)
            #expect(try tx.accounts.openID(of: Self.owner) == nil)
            #expect(try tx.accounts.account(openIDDigest: digest(1)) == nil)
            let standing = try tx.ledger.standing(
                of: Self.owner, on: ShanghaiDay(start),
                requestID: IdempotencyKey(rawValue: "r"))
            #expect(standing?.account == left)

            #expect(try TextScan.columns(holding: "openid-2", tx).sorted() == places)
            #expect(try tx.auth.loginSession(digest: digest(2)) != nil)
            #expect(try tx.apiKeys.apiKey(APIKeyID(rawValue: 2))?.name == "robot 2")
            #expect(try tx.ownKeys.ownKeys(of: other).count == 1)
        }
    }

    @Test(arguments: Engine.all) func manyRowsTakeSeveralTurns(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...5 as ClosedRange<Int64> {
                try tx.auth.insert(Self.session(number, of: Self.owner))
            }
            for number in 1...3 as ClosedRange<Int64> {
                try tx.apiKeys.insert(Self.apiKey(number, of: Self.owner))
            }
            try tx.apiKeys.revoke(APIKeyID(rawValue: 1), at: .after(1))
            try tx.departures.begin(Self.owner, placeholder: digest(200), at: .after(5))
            let turns = try (0..<3).map { _ in
                try tx.departures.erase(Self.owner, at: .after(6), limit: 2)
            }
            #expect(turns == [false, false, true])
            let keys = try tx.apiKeys.apiKeys(of: Self.owner, limit: 9)
            #expect(keys.map(\.name) == ["", "", ""])
            #expect(Set(keys.map(\.revokedAt)) == [.after(1), .after(6)])
        }
    }

    @Test(arguments: Engine.all) func aDeletedAccountStaysOne(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.departures.begin(Self.owner, placeholder: digest(200), at: .after(5))
            #expect(
                try refused {
                    try tx.departures.begin(Self.owner, placeholder: digest(201), at: .after(6))
                } == .conflict)
            #expect(
                try refused {
                    try tx.departures.begin(
                        AccountID(rawValue: 9), placeholder: digest(201), at: .after(6))
                } == .conflict)
            var row = try #require(try tx.accounts.account(Self.owner))
            row.status = .active
            let revived = row
            #expect(try refused { try tx.accounts.update(revived) } == .constraint)
            row.status = .deleted
            try tx.accounts.update(row)
            #expect(try tx.departures.unfinished(after: nil, limit: 9) == [])
            row.status = .deleting
            let again = row
            #expect(try refused { try tx.accounts.update(again) } == .constraint)
            // Nobody is deleted without the moment, and nobody's openid stays.
            try tx.accounts.insert(account(2), openID: "openid-2")
            var second = account(2)
            second.status = .deleted
            let unmarked = second
            #expect(try refused { try tx.accounts.update(unmarked) } == .constraint)
            let direct = try connection(tx)
            #expect(
                try refused {
                    try direct.execute(
                        "UPDATE accounts SET status = 'deleting', deleted_at = 1 WHERE id = 2")
                } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func freeCallsOfWhoLeftAreRememberedForTheirDay(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let day = ShanghaiDay(start)
            let next = ShanghaiDay(number: day.number + 1)
            #expect(try tx.departures.trialUsed(on: day, ofPerson: digest(1)) == nil)
            try tx.departures.keepTrial(2, on: day, ofPerson: digest(1))
            try tx.departures.keepTrial(3, on: day, ofPerson: digest(1))
            try tx.departures.keepTrial(1, on: next, ofPerson: digest(2))
            #expect(try tx.departures.trialUsed(on: day, ofPerson: digest(1)) == 3)
            #expect(try tx.departures.trialUsed(on: next, ofPerson: digest(1)) == nil)
            #expect(try tx.departures.forgetTrials(before: next, limit: 5) == 1)
            #expect(try tx.departures.trialUsed(on: day, ofPerson: digest(1)) == nil)
            #expect(try tx.departures.trialUsed(on: next, ofPerson: digest(2)) == 1)
        }
    }

    @Test(arguments: Engine.all) func ordersOfWhoLeftAreRememberedUntilTheyAreForgotten(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let first = DepartedOrders(made: 2, leftAt: start)
            let last = DepartedOrders(made: 5, leftAt: .after(10))
            #expect(try tx.departures.orders(ofPerson: digest(1)) == nil)
            try tx.departures.keepOrders(first, ofPerson: digest(1))
            try tx.departures.keepOrders(last, ofPerson: digest(1))
            try tx.departures.keepOrders(first, ofPerson: digest(2))
            try tx.departures.keepOrders(first, ofPerson: digest(3))
            #expect(try tx.departures.orders(ofPerson: digest(1)) == last)
            #expect(try tx.departures.orders(ofPerson: digest(2)) == first)
            #expect(try tx.departures.forgetOrders(leftBefore: start, limit: 5) == 0)
            let turns = try (0..<3).map { _ in
                try tx.departures.forgetOrders(leftBefore: .after(10), limit: 1)
            }
            #expect(turns == [1, 1, 0])
            #expect(try tx.departures.orders(ofPerson: digest(2)) == nil)
            #expect(try tx.departures.orders(ofPerson: digest(1)) == last)
        }
    }

    @Test(arguments: Engine.all) func theTierOfWhoLeftIsRememberedUntilTheyAreBack(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let slow = TierName(rawValue: "slow")
            try tx.tiers.save(Tier(name: slow, priceFactor: .one, limits: .none))
            #expect(try tx.departures.takeTier(ofPerson: digest(1)) == nil)
            try tx.departures.keepTier(.standard, ofPerson: digest(1))
            try tx.departures.keepTier(slow, ofPerson: digest(1))
            #expect(try tx.departures.takeTier(ofPerson: digest(2)) == nil)
            #expect(try tx.departures.takeTier(ofPerson: digest(1)) == slow)
            #expect(try tx.departures.takeTier(ofPerson: digest(1)) == nil)
            #expect(
                try refused {
                    try tx.departures.keepTier(
                        TierName(rawValue: "unknown"), ofPerson: digest(3))
                } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func whoComesBackIsInTheTierTheyLeftIn(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            let by = ActedBy(
                credential: "admin", person: "olga", reason: "abuse", correlationID: 7)
            let slow = Tier(
                name: TierName(rawValue: "slow"), priceFactor: .one,
                limits: CallLimits(requestsPerMinute: 1))
            let operators = Administration(bench.ports)
            _ = try await operators.set(slow, by: by)
            let first = try await bench.signIn()
            _ = try await operators.setTier(of: first.session.account, to: slow.name, by: by)
            _ = try await DeleteAccount(bench.ports).delete(by: first.token)
            let back = try await bench.signIn()
            #expect(back.session.account != first.session.account)
            #expect(
                try await operators.standing(of: back.session.account).account.tier == slow)
            #expect(try await bench.violations() == [])
        }
    }

    @Test(arguments: Engine.all) func anOrderIsUnsettledByItsStateAlone(
        _ engine: Engine
    ) async throws {
        for (index, state) in OrderState.allCases.enumerated() {
            try await inTransaction(engine) { tx throws in
                let made = order(Int64(index) + 1, state: state)
                try tx.orders.insert(made)
                let found = try tx.orders.unsettledOrder(of: Self.owner)
                #expect(found == (state.isSettled ? nil : made), "\(state)")
                #expect(try tx.orders.unsettledOrder(of: AccountID(rawValue: 2)) == nil)
            }
        }
    }
}
