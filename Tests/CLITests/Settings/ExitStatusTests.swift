import CLI
import Foundation
import Testing

@Suite("Exit codes")
struct ExitStatusTests {
    @Test(
        arguments: [
            ("invalid_request", 2), ("usage", 2), ("unauthenticated", 3), ("quota_exhausted", 4),
            ("account_frozen", 5), ("model_not_permitted", 5), ("forbidden", 5),
            ("content_refused", 5), ("in_progress", 6), ("already_answered", 6), ("mismatch", 6),
            ("conflict", 6), ("rate_limited", 7), ("upstream_failed", 8), ("upstream_timed_out", 8),
            ("truncated", 8), ("unavailable", 9), ("deadline_exceeded", 9), ("cancelled", 9),
            ("not_found", 10), ("unknown_outcome", 1), ("internal_error", 1), ("something_new", 1),
        ] as [(String, Int32)])
    func everyCodeHasItsNumber(code: String, number: Int32) {
        #expect(ExitStatus(code: code).rawValue == number)
    }

    @Test func theExplanationNamesEachNumberOnce() {
        let lines = ExitStatus.explanation.split(separator: "\n").dropFirst()
        let numbers = lines.compactMap { line in
            line.split(separator: " ").first.flatMap { Int32($0) }
        }
        #expect(numbers == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130])
    }

    @Test func theReadmeSaysTheSame() throws {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let readme = try String(
            contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let rows = readme.split(separator: "\n").map(String.init)
        for status in ExitStatus.allCases {
            #expect(rows.contains("| \(status.rawValue) | \(status.meaning) |"))
        }
    }
}
