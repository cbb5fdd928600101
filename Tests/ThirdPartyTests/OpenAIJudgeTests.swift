import Foundation
import Logging
import Sandbox
import ServiceLifecycle
import Testing

/// The official SDK talks to the sandbox as if it were OpenAI.
@Suite(.enabled(if: Judges.areInstalled, "SKIPPED: run Scripts/third-party-venv"))
struct OpenAIJudgeTests {
    private struct Answer: Decodable, Sendable {
        struct Streamed: Decodable, Sendable {
            var text: String
            var role: String
            var finishReasons: [String]
            var usage: Int
            var usageBeforeTheEnd: Bool
            var deltas: Int
        }
        struct Whole: Decodable, Sendable {
            var text: String
            var finishReason: String
            var usage: Int
            var completionTokens: Int
        }
        struct Refusal: Decodable, Sendable {
            var error: String?
            var code: String?
        }

        var models: [String]
        var streamed: Streamed
        var whole: Whole
        var limited: Whole
        var wrongKey: Refusal
        var wrongModel: Refusal
        var noMessages: Refusal
    }

    @Test func `the official SDK streams from the sandbox`() async throws {
        let keys = try SandboxKeys.generate()
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-judge-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var configuration = SandboxConfiguration(
            dataFile: folder.appendingPathComponent("sandbox.sqlite").path, keys: keys.sandbox,
            callbackURL: "http://127.0.0.1:1/callback/weixin")
        configuration.port = 0
        var logger = Logger(label: "sandbox")
        logger.logLevel = .error
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let sandbox = try Sandbox(configuration, logger: logger) { continuation.yield($0) }
        let service = ServiceGroup(services: [sandbox], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await service.run()
            }
            for await port in ports {
                let answer = try await Judges.run(
                    "openai_judge.py",
                    ["http://127.0.0.1:\(port)/openai/a/v1", keys.tollgate.modelKeys["a"] ?? ""],
                    as: Answer.self)
                check(answer, models: configuration.models.names)
                break
            }
            await service.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    private func check(_ answer: Answer, models: [String]) {
        let text = (1...12).map(String.init).joined(separator: ", ")
        #expect(answer.models == models)
        #expect(answer.streamed.text == text)
        #expect(answer.streamed.role == "assistant")
        #expect(answer.streamed.finishReasons == ["stop"])
        #expect(!answer.streamed.usageBeforeTheEnd)
        #expect(answer.whole.text == text)
        #expect(answer.whole.finishReason == "stop")
        #expect(answer.whole.usage == answer.streamed.usage)
        #expect(answer.whole.completionTokens == answer.streamed.deltas)
        #expect(answer.limited.text == "1, 2")
        #expect(answer.limited.finishReason == "length")
        #expect(answer.limited.completionTokens == 3)
        #expect(answer.wrongKey.error == "AuthenticationError")
        #expect(answer.wrongKey.code == "invalid_api_key")
        #expect(answer.wrongModel.error == "NotFoundError")
        #expect(answer.wrongModel.code == "model_not_found")
        #expect(answer.noMessages.error == "BadRequestError")
    }
}
