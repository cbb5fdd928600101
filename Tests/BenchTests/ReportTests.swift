import Foundation
import Testing

@testable import Bench

struct ReportTests {
    private func report(_ bench: String, _ samples: [Sample]) -> BenchReport {
        BenchReport(
            bench: bench, date: "2026-01-02", note: "a note",
            machine: Machine(
                cores: 2, processor: "p", kernel: "k", fileSystem: "ext4", loadBefore: 0),
            versions: ["tollgate": "0"], settings: ["rounds": 1], samples: samples, headlines: [:],
            budgets: [])
    }

    private func sample(_ name: String, _ callers: Int, _ figures: [String: Double]) -> Sample {
        Sample(series: Series(name, callers: callers), round: 1, figures: figures)
    }

    private func json(_ report: BenchReport) throws -> [String: Any] {
        let data = try JSONEncoder().encode(report)
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func `the document keeps its shape: facts, rounds, medians, budgets, headlines on top`()
        throws
    {
        var report = report(
            "store",
            [
                sample("store", 64, [Figure.perSecond: 60, Figure.p50: 5]),
                sample("raw", 64, [Figure.perSecond: 100, Figure.commit: 0.25]),
                sample("raw", 1, [Figure.perSecond: 4]),
            ])
        StoreBench.judge(&report)
        let document = try json(report)
        #expect(
            Set(document.keys) == [
                "bench", "date", "note", "machine", "versions", "settings", "samples", "medians",
                "budgets", "fsyncMilliseconds", "ratioToRaw64", "ratioToSingleCommits64",
            ])
        #expect(document["ratioToRaw64"] as? Double == 0.6)
        #expect(document["fsyncMilliseconds"] as? Double == 0.25)
        let samples = try #require(document["samples"] as? [[String: Any]])
        #expect(Set(samples[0].keys) == ["series", "round", "figures"])
        let budgets = try #require(document["budgets"] as? [[String: Any]])
        #expect(
            Set(budgets[0].keys) == ["name", "measured", "side", "limit", "unit", "isMet"])
        #expect(budgets.count == 1 && budgets[0]["isMet"] as? Bool == true)
    }

    @Test func `where a sync is slow, holds are judged by single commits too`() {
        var report = report(
            "store",
            [
                sample("store", 64, [Figure.perSecond: 60]),
                sample("raw", 64, [Figure.perSecond: 100, Figure.commit: 2]),
                sample("raw", 1, [Figure.perSecond: 10]),
            ])
        StoreBench.judge(&report)
        #expect(report.budgets.map(\.isMet) == [true, false])
    }

    @Test func `calls are judged by processor time, by bRPC and by the raw round trip`() {
        var report = report(
            "rpc",
            [
                sample("raw", 1, [Figure.p50: 10]), sample("bare", 1, [Figure.p50: 20]),
                sample("raw", 64, [Figure.perSecond: 800_000]),
                // What a server costs is read beside the press, whatever our client makes of it.
                sample("bare", 64, [Figure.perSecond: 90_000, Figure.serverCPU: 9]),
                sample("bare press", 64, [Figure.serverCPU: 3.9]),
                sample("full press", 64, [Figure.serverCPU: 4.9]),
                sample("full half load", 64, [Figure.p99: 1_001]),
                sample("grpc", 64, [Figure.perSecond: 20_000]),
            ])
        RPCBench.judge(&report)
        #expect(report.budgets.map(\.isMet) == [false, true, true, true, false, false])
        #expect(report.headlines["rateOfGrpc64"] == 4.5)
        #expect(report.headlines["bareRoundTripsOfRaw1"] == 2)
        #expect(!report.meetsBudgets)
    }

    @Test func `attachments are judged by the throughput of TCP alone, for each load`() {
        let bench = AttachmentsBench(
            BenchPlan(
                seconds: 1, rounds: 1, folder: "/tmp", peers: Peers(folder: ""), program: "",
                date: "2026-01-02", version: "0"))
        var report = report(
            "attachments",
            [
                sample("raw", 1, [Figure.megabytes: 1_000]),
                sample("attachments", 1, [Figure.megabytes: 700]),
                sample("raw", 4, [Figure.megabytes: 1_000]),
                sample("attachments", 4, [Figure.megabytes: 699]),
            ])
        bench.judge(&report)
        #expect(report.budgets.map(\.isMet) == [true, false])
        #expect(report.headlines == ["throughputOfRaw1": 0.7, "throughputOfRaw4": 0.699])
    }

    @Test func `chats are judged by the disk's own sync of the same run`() {
        func samples(_ rate: Double, _ p50: Double) -> [Sample] {
            [
                sample("gateway", 16, [Figure.p50: p50]), sample("disk", 16, [Figure.commit: 1]),
                sample("gateway", 64, [Figure.perSecond: rate]),
                sample("disk", 64, [Figure.commit: 4]),
                sample("curl", 64, [Figure.perSecond: 32_000]),
            ]
        }
        var met = report("chat", samples(3_200, 5_500))
        ChatBench.judge(&met)
        #expect(met.budgets.map(\.limit) == [5.5, 3_200])
        #expect(met.meetsBudgets)
        #expect(met.headlines["ratioToCurl64"] == 0.1)
        var missed = report("chat", samples(3_199, 5_501))
        ChatBench.judge(&missed)
        #expect(missed.budgets.allSatisfy { !$0.isMet })
    }

    @Test func `batches are told apart from what the page counted before`() {
        let before = BatchMetrics(
            page: """
                # TYPE tollgate_store_batch_seconds histogram
                tollgate_store_batch_seconds_sum 1.5
                tollgate_store_batch_seconds_count 10
                tollgate_store_batch_writes_sum 40
                """)
        var after = before
        after.batches += 4
        after.seconds += 0.008
        after.writes += 64
        #expect(before.batches == 10)
        let figures = after.figures(since: before)
        #expect(figures[Figure.batchWrites] == 16)
        #expect(abs((figures[Figure.batch] ?? 0) - 2) < 1e-9)
        #expect(before.figures(since: before).isEmpty)
    }
}
