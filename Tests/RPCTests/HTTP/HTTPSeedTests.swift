import Foundation
import FuzzTargets
import Testing

/// The seeds from which `make fuzz` goes on: they reach what they were written for.
@Suite(.timeLimit(.minutes(1))) struct HTTPSeedTests {
    private func answer(_ seed: String) throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Corpus/5-http-\(seed)")
        return Array(try Data(contentsOf: file)).withUnsafeBytes { input in
            HTTPTarget.answer(UnsafeRawBufferPointer(rebasing: input.dropFirst()))
        }
    }

    @Test(arguments: ["call", "bytewise", "chunked", "trailers", "expect"])
    func `a body is read however it comes, and the answer is the same JSON`(seed: String) throws {
        let answer = try answer(seed)
        #expect(answer.contains("HTTP/1.1 200 OK\r\n"), "\(answer)")
        #expect(answer.contains(#""content":"héllo é\n""#), "\(answer)")
    }

    @Test(arguments: [
        ("fail", 402), ("session", 200), ("events", 200), ("both-lengths", 400), ("stranger", 401),
        ("page", 200), ("origin", 403), ("requests", 501),
    ])
    func `each seed has its status`(seed: String, status: Int) throws {
        let answer = try answer(seed)
        #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
    }

    @Test func `requests behind each other are answered in turn`() throws {
        let answer = try answer("pipelined")
        #expect(answer.components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 4, "\(answer)")
        #expect(answer.contains("event: done"), "\(answer)")
    }
}
