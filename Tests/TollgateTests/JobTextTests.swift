import CLI
import Jobs
import Operations
import Testing
import TollgateKernel

@testable import Tollgate

/// What people read about jobs.
struct JobTextTests {
    private let now = Timestamp(seconds: 1_790_000_000)

    private func job(
        _ name: String = "payment-reconcile", seconds: Int64 = 30, goesByTimeOfDay: Bool = false,
        hasWork: Bool = false, waiting: JobWaiting? = nil
    ) -> JobDefinition {
        JobDefinition(
            name: name, summary: "Asks WeChat Pay about unpaid orders and books what was paid.",
            schedule: JobSchedule(intervalMilliseconds: seconds * 1_000, catchUp: .last),
            goesByTimeOfDay: goesByTimeOfDay,
            preview: { JobPreview(items: [], summary: "") }, hasWork: { hasWork },
            waiting: { waiting }, run: { _ in JobReport(itemsDone: 0, summary: "") })
    }

    private func record(dueInMilliseconds milliseconds: Int64) -> JobRecord {
        JobRecord(
            name: "payment-reconcile", nextDueAt: now.adding(milliseconds: milliseconds),
            fencingToken: 0, holder: "", heartbeat: 0)
    }

    private func next(
        _ definition: JobDefinition, _ record: JobRecord?, clockTrouble: String? = nil
    ) async throws -> String {
        try await JobText.next(definition, record, now: now, clockTrouble: clockTrouble)
    }

    @Test func `When a job runs next is told as a span`() async throws {
        #expect(try await next(job(), nil) == "not run yet")
        #expect(try await next(job(), record(dueInMilliseconds: 25_400)) == "in 25 s")
        #expect(try await next(job(), record(dueInMilliseconds: 10)) == "in 1 s")
        let past = record(dueInMilliseconds: -1)
        #expect(try await next(job(), past) == "nothing to do")
        #expect(try await next(job(hasWork: true), past) == "now")
        let waiting = JobWaiting(what: "3 unpaid orders", nextAt: now.adding(milliseconds: 90_000))
        #expect(try await next(job(waiting: waiting), past) == "in 1 min 30 s: 3 unpaid orders")
    }

    @Test func `While the clock is in doubt, what goes by it is told to wait`() async throws {
        let past = record(dueInMilliseconds: -1)
        let trouble = "The clock is ahead."
        #expect(
            try await next(job(goesByTimeOfDay: true), past, clockTrouble: trouble)
                == "not by this clock")
        #expect(try await next(job(goesByTimeOfDay: true), past) == "nothing to do")
        #expect(try await next(job(), past, clockTrouble: trouble) == "nothing to do")
        let json = try JobText.json(
            [job("order-close", goesByTimeOfDay: true), job()], [:], clockTrouble: trouble)
        #expect(json.split(separator: #""clockTrouble":"The clock is ahead.""#).count == 2)
    }

    @Test func `The list fits a terminal of 80 columns`() throws {
        var table = JobText.table
        table.add(JobText.row(job(), next: "in 1 min 30 s: 3 unpaid orders"))
        table.add(JobText.row(job("retention", seconds: 3_600), next: "in 58 min 12 s"))
        let lines = table.lines(columns: 80, style: Style(isColoured: false))
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(
            lines == [
                "JOB                RUNS        NEXT                            WHAT IT DOES",
                "payment-reconcile  every 30 s  in 1 min 30 s: 3 unpaid orders  Asks WeChat Pay …",
                "retention          every hour  in 58 min 12 s                  Asks WeChat Pay …",
            ])
    }

    @Test func `Runs are a table that fits a terminal of 80 columns`() throws {
        func run(_ number: Int64, _ summary: String, isOver: Bool = true) -> JobRun {
            JobRun(
                id: JobRunID(rawValue: number), job: "payment-reconcile", fencingToken: 1,
                state: isOver ? .succeeded : .running, startedAt: now,
                endedAt: isOver ? now.adding(milliseconds: 1_200) : nil, itemsDone: 0,
                itemsFailed: 0, summary: summary)
        }
        let table = JobText.table(
            of: [
                run(1, "0 orders asked about, 12 booked, 3 left as they were"),
                run(2, "", isOver: false),
            ])
        let lines = table.lines(columns: 80, style: Style(isColoured: false))
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(lines[0].hasPrefix("BEGAN ("))
        #expect(lines[1].hasSuffix("1200 ms  0 orders asked abou…"), "\(lines[1])")
    }

    @Test func `A dry run is told in sentences, and for programs in words`() throws {
        let preview = JobPreview(
            items: [
                .init(reference: "0H2K9QW3ZT4BM", verdict: .wouldBook),
                .init(reference: "hold:0H2K9QW3ZT4BN", verdict: .wouldExpire),
                .init(reference: "hour:1769839200000", verdict: .wouldStore(12)),
                .init(reference: "usage_records", verdict: .wouldRemove(1)),
            ], summary: "1 unpaid order would be booked")
        #expect(
            JobText.lines(preview, of: "payment-reconcile") == [
                "0H2K9QW3ZT4BM would be booked: WeChat Pay has its payment",
                "hold 0H2K9QW3ZT4BN would expire",
                "hour 2026-01-31 14:00 would have 12 figures stored",
                "usage records would lose 1 old row",
                "1 unpaid order would be booked.",
                "Nothing was changed: this was a dry run of payment-reconcile.",
            ])
        let json = try JobText.json(preview, of: "payment-reconcile")
        for word in ["would_book", "would_expire", "would_store_12", "would_remove_1"] {
            #expect(json.contains(#""result":"\#(word)""#))
        }
    }
}
