import Foundation
import Testing

/// What the generator writes for a good contract.
@Suite struct ProtoGeneratorTests {
    private func files() throws -> [String: String] {
        let outcome = try Protoc.generate(["good.proto", "good_service.proto"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        return outcome.files
    }

    @Test func `one file an aspect is written, each in its module's folder`() throws {
        #expect(
            Set(try files().keys) == [
                "Wire/Generated/V1.swift", "Wire/Generated/Good.messages.swift",
                "Wire/Generated/Good.codec.swift", "Wire/Generated/Good.descriptors.swift",
                "Wire/Generated/GoodService.methods.swift", "Wire/Generated/Methods.swift",
                "Server/Generated/GoodService.handlers.swift",
                "Client/Generated/GoodService.client.swift",
            ])
    }

    @Test func `the contract's comments become documentation`() throws {
        let text = try #require(try files()["Wire/Generated/Good.messages.swift"])
        let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        let start = try #require(lines.firstIndex(of: "public struct AskQuestion: WireMessage {"))
        #expect(
            Array(lines[(start - 3)..<start]) == [
                "/// Asks.", "///", "/// With \"quotes\" and a \\ backslash.",
            ])
    }

    @Test func `every public declaration is documented`() throws {
        for (path, text) in try files() {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
            for (index, line) in lines.enumerated() {
                // A case with a colon belongs to a switch; a requirement of a protocol is public.
                let isDeclaration =
                    (line.hasPrefix("public ") || line.hasPrefix("package "))
                    || (line.hasPrefix("case ") && !line.contains(":"))
                    || (line.hasPrefix("func ") && path.contains("handlers"))
                guard isDeclaration, !line.contains(" import ") else { continue }
                #expect(
                    index > 0 && lines[index - 1].hasPrefix("///"), "\(path):\(index + 1): \(line)")
            }
        }
    }

    @Test func `a oneof with one member becomes an optional property`() throws {
        let text = try #require(try files()["Wire/Generated/Good.messages.swift"])
        #expect(text.contains("public var limit: Int64?\n"))
        #expect(text.contains("public var event: V1.AnswerPart.Event?\n"))
        #expect(text.contains("public enum Event: Hashable, Sendable {"))
    }

    @Test func `facts become the method's descriptor, also when stated one by one`() throws {
        let text = try #require(try files()["Wire/Generated/GoodService.methods.swift"])
        #expect(text.contains("service: \"tollgate.v1.GoodService\", name: \"AskOnce\","))
        #expect(text.contains("access: .service, roles: [.web, .admin], isIdempotent: true,"))
        #expect(text.contains("defaultDeadlineMilliseconds: 1_500_000,"))
        #expect(text.contains("public static let whoAsksURL = MethodDescriptor("))
        #expect(text.contains("access: .user, roles: [], isIdempotent: false,"))
        for kind in ["unary", "serverStreaming", "clientStreaming", "bidirectionalStreaming"] {
            #expect(text.contains("streaming: .\(kind),"))
        }
        #expect(text.contains("[MethodDescriptor] = [askOnce, whoAsksURL, gather, converse]"))
    }

    @Test func `server and client get the same methods`() throws {
        let files = try files()
        let server = try #require(files["Server/Generated/GoodService.handlers.swift"])
        let client = try #require(files["Client/Generated/GoodService.client.swift"])
        #expect(server.contains("package protocol GoodServiceHandlers: Sendable {"))
        #expect(server.contains(".unary(Methods.GoodService.askOnce) {"))
        #expect(server.contains(".serverStreaming(Methods.GoodService.whoAsksURL) {"))
        #expect(client.contains("public struct GoodServiceClient: Sendable {"))
        #expect(client.contains("client.unary(Methods.GoodService.askOnce, request"))
        #expect(client.contains("client.serverStream(Methods.GoodService.whoAsksURL, request"))
    }

    @Test func `streams of requests get readers on the server and writers on the client`() throws {
        let files = try files()
        let server = try #require(files["Server/Generated/GoodService.handlers.swift"])
        let client = try #require(files["Client/Generated/GoodService.client.swift"])
        for line in [
            "_ requests: RequestStream<V1.AskQuestion>, _ context: ServerCallContext\n",
            "_ requests: RequestStream<V1.AskQuestion>, _ context: ServerCallContext,\n",
            ".clientStreaming(Methods.GoodService.gather) {",
            "(requests: RequestStream<V1.AskQuestion>, context: ServerCallContext) in",
            "try await self.gather(requests, context)",
            ".bidirectionalStreaming(Methods.GoodService.converse) {",
            "try await self.converse(requests, context, responses)",
        ] { #expect(server.contains(line), "\(line)") }
        for line in [
            "_ body: (RequestWriter<V1.AskQuestion>) async throws -> Void",
            "try await client.clientStream(Methods.GoodService.gather, options: options, body)",
            "RequestWriter<V1.AskQuestion>,",
            "client.bidirectionalStream(Methods.GoodService.converse, options: options, body)",
        ] { #expect(client.contains(line), "\(line)") }
    }

    @Test func `the same contract gives the same text`() throws {
        #expect(try files() == files())
    }
}
