import Foundation
import Testing
import TollgateClient

/// The documentation's snippets: they stand here as well, so that they are compiled.
@Suite(.timeLimit(.minutes(2))) struct DocumentationTests {
    private func firstCall(
        _ configuration: TollgateClientConfiguration, session: String
    ) async throws -> V1.GetQuotaResponse {
        try await withTollgateClient(configuration) { client in
            let accounts = AccountsServiceClient(client)
            let quota = try await accounts.getQuota(
                .init(), options: CallOptions(authorization: session))
            return quota
        }
    }

    private func streamed(
        _ client: TollgateClient, _ question: V1.AskRequest, session: String
    ) async throws -> String {
        var answer = ""
        try await ChatServiceClient(client).ask(
            question, options: CallOptions(authorization: session)
        ) { events in
            for try await event in events {
                if case .delta(let text) = event.event { answer += text }
            }
        }
        return answer
    }

    private func several(credential: String) -> TollgateClientConfiguration {
        var configuration = TollgateClientConfiguration(
            address: "10.0.0.1:7400,10.0.0.2:7400,tollgate.internal:7400", credential: credential)
        configuration.balancing = .leastLatency
        configuration.connectionsPerAddress = 2
        return configuration
    }

    private func repeated(session: String) -> CallOptions {
        var options = CallOptions(authorization: session, timeoutMilliseconds: 2_000)
        options.attemptTimeoutMilliseconds = 800
        options.hedgeAfterMilliseconds = 150
        options.affinityKey = "account-7"
        return options
    }

    private func manyCalls(_ client: TollgateClient, sessions: [String]) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for session in sessions {
                group.addTask(executorPreference: client.executor) {
                    _ = try await AccountsServiceClient(client).getQuota(
                        .init(), options: CallOptions(authorization: session))
                }
            }
        }
    }

    private func attached(_ client: TollgateClient, photo: [UInt8]) async throws -> [UInt8] {
        let answer: CallAnswer<V1.PingResponse> = try await client.exchange(
            Methods.DiagnosticsService.ping, V1.PingRequest(payload: [1]), attachment: photo)
        return answer.attachment
    }

    private func weighed(session: String) -> CallOptions {
        var options = CallOptions(authorization: session)
        options.priority = .background
        options.compression = .zlib
        options.hasChecksum = true
        return options
    }

    @Test func `the snippet about tests runs`() async throws {
        let quota = HostedMethod.unary(Methods.AccountsService.getQuota) {
            (_: V1.GetQuotaRequest, call) -> V1.GetQuotaResponse in
            guard call.authorization == "session" else {
                throw TollgateError(code: "unauthenticated", message: "Sign in first.")
            }
            return V1.GetQuotaResponse()
        }
        try await withHostedMethods([quota]) { client in
            let accounts = AccountsServiceClient(client)
            _ = try await accounts.getQuota(
                .init(), options: CallOptions(authorization: "session"))
        }
    }

    @Test func `every snippet of the documentation is compiled here`() throws {
        let package = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let catalogue = package.appendingPathComponent("Sources/Client/TollgateClient.docc")
        let here = try lines(URL(fileURLWithPath: #filePath)).joined(separator: "\n")
        var count = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: catalogue.path)
        where name.hasSuffix(".md") {
            var snippet: [String]?
            for line in try lines(catalogue.appendingPathComponent(name)) {
                if line == "```swift" {
                    snippet = []
                } else if line == "```", let whole = snippet {
                    count += 1
                    let text = whole.joined(separator: "\n")
                    #expect(here.contains(text), "\(name): \(text)")
                    snippet = nil
                } else {
                    snippet?.append(line)
                }
            }
        }
        #expect(count >= 5)
    }

    /// A file's lines without their indentation, which differs between the two places.
    private func lines(_ file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map { line in String(line.drop { $0 == " " }) }
    }
}
