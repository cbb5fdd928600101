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

/// What is kept about one person, a page at a time.
@Suite struct ExportContractTests {
    private static let owner = AccountID(rawValue: 1)
    private static let other = AccountID(rawValue: 2)

    @Test(arguments: Engine.all) func pagesOfOnePersonFollowEachOther(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.accounts.insert(account(2), openID: "openid-2")
            for number in 1...3 as ClosedRange<Int64> {
                for owner in [Self.owner, Self.other] {
                    let id = 10 * owner.rawValue + number
                    try tx.accounts.save(
                        TrialDay(account: owner, day: ShanghaiDay(number: number), used: number))
                    try tx.ledger.insert(
                        hold(id, of: owner.rawValue, request: "r\(4 - number)"), reservations: [])
                    try tx.auth.insert(
                        LoginSession(
                            id: LoginSessionID(rawValue: id), digest: digest(UInt8(id)),
                            account: owner, device: "d\(number)", createdAt: start,
                            expiresAt: .after(1)))
                    try tx.apiKeys.insert(
                        APIKey(
                            id: APIKeyID(rawValue: id), digest: digest(1), account: owner,
                            name: "robot \(id)", models: [], spendCap: nil,
                            requestsPerMinute: nil, createdAt: start, expiresAt: nil))
                    try tx.outbox.insert(
                        OutboxMessage(
                            id: OutboxID(rawValue: id), kind: .creditsArrived, account: owner,
                            values: ["product": "p\(id)"], state: .sent, attempts: 0,
                            nextAttemptAt: start, createdAt: start))
                    try tx.chat.insertRefusal(
                        account: owner, model: ModelName(rawValue: "m\(id)"),
                        code: .quotaExhausted, at: start)
                }
            }
            let owner = Self.owner
            let days = try tx.accounts.trialDays(of: owner, after: nil, limit: 2)
            #expect(days.map(\.day.number) == [1, 2])
            #expect(
                try tx.accounts.trialDays(of: owner, after: days.last?.day, limit: 2)
                    .map(\.used) == [3])
            let holds = try tx.ledger.holds(of: owner, after: nil, limit: 2)
            #expect(holds.map(\.requestID.rawValue) == ["r1", "r2"])
            #expect(holds.map(\.id.rawValue) == [13, 12])
            #expect(
                try tx.ledger.holds(of: owner, after: holds.last?.requestID, limit: 2)
                    .map(\.id.rawValue) == [11])
            let sessions = try tx.auth.loginSessions(of: owner, after: nil, limit: 2)
            #expect(sessions.map(\.device) == ["d1", "d2"])
            #expect(sessions.first?.digest == digest(11))
            #expect(
                try tx.auth.loginSessions(of: owner, after: sessions.last?.id, limit: 2)
                    .map(\.id.rawValue) == [13])
            try tx.apiKeys.revoke(APIKeyID(rawValue: 11), at: .after(1))
            let keys = try tx.apiKeys.apiKeys(of: owner, after: nil, limit: 2)
            #expect(keys.map(\.name) == ["robot 11", "robot 12"])
            #expect(
                try tx.apiKeys.apiKeys(of: owner, after: keys.last?.id, limit: 2)
                    .map(\.name) == ["robot 13"])
            let messages = try tx.outbox.messages(of: owner, after: nil, limit: 2)
            #expect(messages.map(\.values) == [["product": "p11"], ["product": "p12"]])
            #expect(
                try tx.outbox.messages(of: owner, after: messages.last?.id, limit: 2)
                    .map(\.id.rawValue) == [13])
            let refusals = try tx.chat.refusals(of: owner, after: 0, limit: 2)
            #expect(refusals.map(\.model.rawValue) == ["m11", "m12"])
            #expect(refusals.map(\.code) == ["quota_exhausted", "quota_exhausted"])
            #expect(
                try tx.chat.refusals(of: owner, after: refusals.last?.number ?? 0, limit: 2)
                    .map(\.model.rawValue) == ["m13"])
        }
    }

    @Test(arguments: Engine.all) func aCallsUsageAnOrdersPaymentsAndAFollowerAreFound(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.ledger.insert(hold(1), reservations: [])
            try tx.ledger.insert(hold(2), reservations: [])
            let usage = UsageRecord(
                hold: HoldID(rawValue: 1), account: Self.owner, model: ModelName(rawValue: "m"),
                channel: "a", source: "credits",
                usage: TokenUsage(promptTokens: 1, completionTokens: 2), isEstimated: true,
                charged: Credits(micro: 3), outcome: .truncated, startedAt: start,
                firstTokenAt: .after(1), endedAt: .after(2),
                priceFactor: PriceFactor(stored: 4, 5))
            try tx.chat.insert(usage)
            #expect(try tx.chat.usage(of: HoldID(rawValue: 1)) == usage)
            #expect(try tx.chat.usage(of: HoldID(rawValue: 2)) == nil)

            for number in 1...2 as ClosedRange<Int64> { try tx.orders.insert(order(number)) }
            let payments = [("late", 9), ("first", 1)].map { name, at in
                PaymentRecord(
                    transactionID: name, order: OrderID(rawValue: 1), total: Money(fen: 990),
                    paidAt: start, bookedAt: .after(at))
            }
            for payment in payments { try tx.orders.insert(payment) }
            #expect(
                try tx.orders.payments(of: OrderID(rawValue: 1), limit: 9)
                    == payments.reversed())
            #expect(try tx.orders.payments(of: OrderID(rawValue: 2), limit: 9) == [])

            #expect(try tx.pushes.following(openID: "openid-1") == nil)
            try tx.pushes.setFollowing(openID: "openid-1", false, at: .after(3))
            let following = try tx.pushes.following(openID: "openid-1")
            #expect(following?.isFollowing == false)
            #expect(following?.since == .after(3))
            try tx.pushes.forgetFollower(openID: "openid-1")
            #expect(try tx.pushes.following(openID: "openid-1") == nil)
        }
    }
}
