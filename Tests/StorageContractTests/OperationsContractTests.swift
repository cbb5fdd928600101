import Accounts
import Analytics
import Application
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

@Suite struct OperationsContractTests {
    private func message(_ number: Int64, at next: Timestamp = start) -> OutboxMessage {
        OutboxMessage(
            id: OutboxID(rawValue: number), kind: .creditsArrived,
            account: AccountID(rawValue: 1),
            values: ["credits": "20", "na\nme": "50%0A", "empty": "", "": "no name"],
            state: .waiting, attempts: 0, nextAttemptAt: next, createdAt: start)
    }

    @Test(arguments: Engine.all) func messagesWaitUntilTheyEnd(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let messages = [
                message(1, at: .after(20)), message(2, at: .after(10)), message(3, at: .after(21)),
            ]
            for message in messages { try tx.outbox.insert(message) }
            #expect(
                try tx.outbox.dueMessages(at: .after(20), limit: 9) == [messages[1], messages[0]])
            #expect(try tx.outbox.dueMessages(at: .after(20), limit: 1) == [messages[1]])
            var retried = messages[1]
            retried.attempts = 1
            retried.nextAttemptAt = .after(15)
            try tx.outbox.update(retried)
            #expect(try tx.outbox.dueMessages(at: .after(16), limit: 9) == [retried])
            retried.state = .sent
            let sent = retried
            try tx.outbox.update(sent)
            #expect(try tx.outbox.dueMessages(at: .after(16), limit: 9) == [])
            #expect(try refused { try tx.outbox.update(sent) } == .conflict)
            #expect(try refused { try tx.outbox.update(message(9)) } == .conflict)
        }
    }

    @Test(arguments: Engine.all) func anIncidentIsToldOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let incidents = (1...3).map { number in
                Incident(
                    key: "key-\(number)", kind: .amountMismatch, reference: "order",
                    summary: "sentence \(number)", at: .after(Int64(number)))
            }
            for incident in incidents { #expect(try tx.operations.insert(incident)) }
            var again = incidents[0]
            again.summary = "other"
            #expect(try !tx.operations.insert(again))
            #expect(
                try tx.operations.incidents(limit: 9) == [incidents[2], incidents[1], incidents[0]])
            #expect(try tx.operations.incidents(limit: 1) == [incidents[2]])
        }
    }

    private func usage(
        _ number: Int64, model: String, tokens: Int64, outcome: UsageRecord.Outcome,
        endedAt: Timestamp
    ) -> UsageRecord {
        UsageRecord(
            hold: HoldID(rawValue: number), account: AccountID(rawValue: 1),
            model: ModelName(rawValue: model), channel: "c", source: "credits",
            usage: TokenUsage(promptTokens: tokens, completionTokens: 10 * tokens),
            isEstimated: false, charged: .zero, outcome: outcome, startedAt: start,
            firstTokenAt: start, endedAt: endedAt)
    }

    private func point(
        _ metric: BusinessMetric, _ dimension: String, _ value: Int64, at start: Timestamp
    ) -> RollupPoint {
        RollupPoint(periodStart: start, metric: metric, dimension: dimension, value: value)
    }

    @Test(arguments: Engine.all) func rawRowsAreCountedInTheirPeriod(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.analytics.oldestMoment() == nil)
            let moments: [Int64] = [99, 100, 150, 199, 200]
            for (index, moment) in moments.enumerated() {
                let number = Int64(index + 1)
                try tx.ledger.insert(hold(number), reservations: [])
                try tx.chat.insert(
                    usage(
                        number, model: index == 2 ? "b" : "a", tokens: number,
                        outcome: index == 1 ? .cancelled : .answered, endedAt: .after(moment)))
                try tx.chat.insertRefusal(
                    account: AccountID(rawValue: 1), model: ModelName(rawValue: "a\(index)"),
                    code: index == 2 ? .rateLimited : .quotaExhausted, at: .after(moment))
                var made = order(number)
                made.createdAt = .after(moment)
                made.transactionID = "t\(number)"
                try tx.orders.insert(made)
                // Money for the same order that bought nothing is no sale.
                try tx.orders.insert(
                    PaymentRecord(
                        transactionID: "owed back \(number)", order: made.id,
                        total: Money(fen: 1_000), paidAt: .after(0), bookedAt: .after(moment)))
                try tx.orders.insert(
                    PaymentRecord(
                        transactionID: "t\(number)", order: made.id, total: Money(fen: number),
                        paidAt: .after(0), bookedAt: .after(moment)))
            }
            let from = Timestamp.after(100)
            let points = try tx.analytics.count(from: from, until: .after(200))
            let expected = [
                point(.chats, "a", 2, at: from), point(.chats, "b", 1, at: from),
                point(.completionTokens, "a", 60, at: from),
                point(.completionTokens, "b", 30, at: from),
                point(.orders, "starter", 3, at: from), point(.paidOrders, "starter", 3, at: from),
                point(.promptTokens, "a", 6, at: from), point(.promptTokens, "b", 3, at: from),
                point(.refusals, "quota_exhausted", 2, at: from),
                point(.refusals, "rate_limited", 1, at: from),
                point(.revenueFen, "starter", 9, at: from),
            ]
            #expect(points == expected)
            #expect(try tx.analytics.oldestMoment() == .after(99))
            #expect(try tx.analytics.count(from: .after(201), until: .after(999)) == [])
        }
    }

    @Test(arguments: Engine.all) func aPeriodIsReplacedAsAWhole(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let first = Timestamp.after(0)
            let second = Timestamp.after(3_600_000)
            let old = [point(.chats, "a", 1, at: first), point(.chats, "b", 2, at: first)]
            let new = [point(.chats, "b", 5, at: first), point(.orders, "p", 1, at: first)]
            let later = [point(.chats, "a", 7, at: second)]
            let day = [point(.chats, "a", 9, at: first)]
            try tx.analytics.replace(old, resolution: .hour, periodStart: first)
            try tx.analytics.replace(later, resolution: .hour, periodStart: second)
            try tx.analytics.replace(day, resolution: .day, periodStart: first)
            for _ in 0..<2 {
                try tx.analytics.replace(new, resolution: .hour, periodStart: first)
                let hours = try tx.analytics.points(
                    resolution: .hour, from: first, until: .after(3_600_001), limit: 9)
                #expect(hours == new + later)
            }
            let days = try tx.analytics.points(
                resolution: .day, from: first, until: second, limit: 9)
            #expect(days == day)
            let open = try tx.analytics.points(
                resolution: .hour, from: first, until: second, limit: 1)
            #expect(open == [new[0]])
        }
    }
}
