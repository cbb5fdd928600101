import Application
import Auth
import Foundation
import Jobs
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@Suite struct JobPreviewTests {
    /// What the store's files hold; readers change neither.
    private func bytes(_ jobs: JobsBench) -> [Data?] {
        ["store.sqlite", "store.sqlite-wal"].map {
            FileManager.default.contents(atPath: "\(jobs.bench.folder)/\($0)")
        }
    }

    private func preview(_ jobs: JobsBench, _ name: String) async throws -> JobPreview {
        try await jobs.scheduler(jobs.standard()).preview(name)
    }

    /// Orders a product under this key.
    private func order(_ jobs: JobsBench, _ key: String) async throws -> Order {
        let account = try await jobs.bench.signIn(openID: "o_\(key)").session.account
        return try await PlaceOrder(jobs.bench.ports, payments: jobs.payments).place(
            product: ProductKey(rawValue: "starter"), for: account,
            idempotencyKey: IdempotencyKey(rawValue: key))
    }

    @Test func `A dry run of any job writes no byte and sends nothing, though there is work`()
        async throws
    {
        try await JobsBench.with { jobs in
            let told = try await order(jobs, "told")
            let trade = try #require(jobs.payments.pay(told.outTradeNumber))
            _ = try await BookPayment(jobs.bench.ports).book(queried: trade)
            let untold = try await order(jobs, "untold")
            jobs.payments.pay(untold.outTradeNumber)
            _ = try await order(jobs, "unpaid")
            jobs.bench.clock.advance(milliseconds: 40 * 60_000)
            let before = bytes(jobs)
            let calls = jobs.payments.calls.count
            var summaries: [String: String] = [:]
            for definition in jobs.standard() {
                summaries[definition.name] = try await preview(jobs, definition.name).summary
            }
            #expect(bytes(jobs) == before)
            #expect(before.allSatisfy { $0?.isEmpty == false })
            let later = jobs.payments.calls.dropFirst(calls)
            #expect(!later.isEmpty)
            #expect(later.allSatisfy { $0.hasPrefix("query ") }, "\(later)")
            #expect(jobs.messages.asked.isEmpty)
            #expect(
                summaries["order-close"]
                    == "2 orders whose time is out: 1 would be booked, 1 would be closed")
            #expect(summaries["outbox"] == "1 message would be sent")
            #expect(
                summaries["metric-rollup"]?.contains(/^\d+ figures of \d+ periods would be stored$/)
                    == true)
        }
    }

    @Test func `A dry run tells what the run then does`() async throws {
        try await JobsBench.with { jobs in
            let paid = try await order(jobs, "paid")
            let unpaid = try await order(jobs, "unpaid")
            jobs.payments.pay(paid.outTradeNumber)
            jobs.bench.clock.advance(milliseconds: 60_000)
            let told = try await preview(jobs, "payment-reconcile").items
            #expect(
                Set(told) == [
                    .init(reference: paid.id.description, verdict: .wouldBook),
                    .init(reference: unpaid.id.description, verdict: .waiting),
                ])
            let run = try await jobs.run("payment-reconcile")
            let done = try await jobs.items(of: run).map { ($0.reference, $0.result) }
            #expect(
                Dictionary(uniqueKeysWithValues: done) == [
                    paid.id.description: "paid", unpaid.id.description: "waiting",
                ])
            // By hand it would be asked about again, whatever its pause.
            #expect(
                try await preview(jobs, "payment-reconcile").summary
                    == "1 unpaid order would stay unpaid")
        }
    }

    @Test func `An unknown job is told with those that are known`() async throws {
        try await JobsBench.with { jobs in
            let error = await #expect(throws: Failure.self) {
                try await preview(jobs, "tidy-up")
            }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains("payment-reconcile") == true)
        }
    }
}
