import Foundation
import Testing
import TollgateKernel

@testable import Bench

struct ChatRecordTests {
    private let record = ChatRecord(
        outcome: .acknowledged, requestID: "key", account: AccountID(rawValue: 7),
        server: "127.0.0.1:1", began: Timestamp(milliseconds: 10),
        ended: Timestamp(milliseconds: 25), charged: Credits(micro: 3), reason: "-")

    @Test func `a record is a line whose fields a database can copy`() {
        #expect(record.line == "acknowledged\tkey\t7\t127.0.0.1:1\t10\t25\t3\t-")
    }

    @Test func `a refusal before the answer's begin promises that nothing was charged`() {
        for code in ["unavailable", "rate_limited", "quota_exhausted", "upstream_failed"] {
            #expect(ChatRecord.outcome(of: code, hasBegun: false) == .refused)
            #expect(ChatRecord.outcome(of: code, hasBegun: true) == .unknown)
        }
    }

    @Test func `what says nothing about the charge is unknown`() {
        let codes = [
            "unknown_outcome", "deadline_exceeded", "cancelled", "internal_error", "in_progress",
            "already_answered", "mismatch", "conflict", "a code of another version",
        ]
        for code in codes {
            #expect(ChatRecord.outcome(of: code, hasBegun: false) == .unknown)
        }
    }

    @Test func `a file has each record on a line of its own, and is emptied first`() async throws {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-records-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for _ in 0..<2 {
            let file = try RecordFile(path)
            try await file.keep(record)
            try await file.keep(record)
        }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text == "\(record.line)\n\(record.line)\n")
    }

    @Test func `a load that is asked to end makes no further call`() async throws {
        let stop = ChatLoad.Stop()
        stop.ask()
        let load = ChatLoad(
            servers: ["127.0.0.1:1"], credential: "a credential",
            customers: [
                SignedInCustomer(account: AccountID(rawValue: 1), authorization: "Bearer x")
            ], seconds: 60)
        let totals = try await load.run(until: stop) { record in
            Issue.record("\(record.requestID) was asked")
        }
        #expect(totals == ChatLoad.Totals())
    }
}
