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

    private func narrow(session: String) -> CallOptions {
        var options = CallOptions(authorization: session)
        options.windowBytes = 64 * 1_024
        return options
    }

    private func whoAmI(key: String, session: String) async throws {
        try await withTollgateClient(.init(address: "127.0.0.1:7400", credential: key)) { client in
            let auth = AuthServiceClient(client)
            let who = try await auth.whoAmI(.init(), options: .init(authorization: session))
            print(who.accountId)
        }
    }

    @Test func `the snippet about hosted methods runs`() async throws {
        let ping = HostedMethod.unary(Methods.DiagnosticsService.ping) {
            (request: V1.PingRequest, _) in V1.PingResponse(payload: request.payload)
        }
        try await withHostedMethods([ping]) { client in
            let answer = try await DiagnosticsServiceClient(client).ping(.init(payload: [1]))
            print(answer.payload)
        }
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

    // MARK: What the documentation holds

    private static let client = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/Client")

    @Test func `every snippet of the documentation is compiled here`() throws {
        let catalogue = Self.client.appendingPathComponent("TollgateClient.docc")
        var snippets: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: catalogue.path)
        where name.hasSuffix(".md") {
            snippets += fenced(try lines(catalogue.appendingPathComponent(name)))
        }
        #expect(snippets.count >= 8)
        try expectHere(snippets)
    }

    @Test func `every snippet beside a declaration is compiled here`() throws {
        var snippets: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: Self.client.path)
        where name.hasSuffix(".swift") {
            snippets += indented(try lines(Self.client.appendingPathComponent(name)))
        }
        #expect(snippets.count >= 2)
        try expectHere(snippets)
    }

    private func expectHere(_ snippets: [String]) throws {
        let here = unindented(try lines(URL(fileURLWithPath: #filePath)))
        for snippet in snippets { #expect(here.contains(snippet), "\(snippet)") }
    }

    /// What stands between fences, whichever language they name: all of it is Swift.
    private func fenced(_ lines: [String]) -> [String] {
        lines.split(omittingEmptySubsequences: false) { $0.hasPrefix("```") }.enumerated()
            .filter { !$0.offset.isMultiple(of: 2) }.map { unindented($0.element) }
    }

    /// What stands in comments four spaces further in than their text.
    private func indented(_ lines: [String]) -> [String] {
        let opening = "///     "
        return lines.map { $0.drop { $0 == " " } }.split { !$0.hasPrefix(opening) }
            .map { unindented($0.map { String($0.dropFirst(opening.count)) }) }
    }

    /// Lines without their indentation, which differs between the two places.
    private func unindented(_ lines: some Sequence<String>) -> String {
        lines.map { line in line.drop { $0 == " " } }.joined(separator: "\n")
    }

    private func lines(_ file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}
