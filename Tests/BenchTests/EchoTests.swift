import Foundation
import NIOCore
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

@testable import Bench

struct EchoTests {
    private static let secret = "0123456789abcdef0123"

    private func withEcho(
        _ variant: EchoVariant, credential: String?, _ body: (TollgateClient) async throws -> Void
    ) async throws {
        let server = try EchoHost(variant: variant, credential: Self.secret).server()
        async let running: Void = server.run()
        do {
            let address = try #require(try await server.address)
            try await withTollgateClient(
                .init(address: "127.0.0.1:\(address.port)", credential: credential), body)
        } catch {
            server.drain()
            try await running
            throw error
        }
        server.drain()
        try await running
    }

    @Test(arguments: EchoVariant.allCases)
    func `every variant brings the message back`(variant: EchoVariant) async throws {
        let credential = variant == .full ? Self.secret : nil
        try await withEcho(variant, credential: credential) { client in
            try await EchoCaller(variant: variant, client: client).call()
            // The other way round as well: the bytes on the wire are the same.
            let answer = try await EchoServiceClient(client).echo(.init(message: "déjà vu"))
            #expect(answer.message == "déjà vu")
        }
    }

    @Test func `the full variant refuses who does not show its credential`() async throws {
        try await withEcho(.full, credential: "wrong") { client in
            await #expect(throws: TollgateError.self) {
                _ = try await EchoServiceClient(client).echo(.init(message: "hello"))
            }
        }
    }

    @Test func `the full variant does not start without a credential`() {
        #expect(throws: Failure.self) { _ = try EchoHost(variant: .full).server() }
    }

    @Test func `the raw peer's frames are as long as a request with its header`() async throws {
        let bytes = try await FrameSize.ofEchoRequest()
        // 12 bytes of header, 66 of body, and what names the method.
        #expect((12 + 66 + 20...400).contains(bytes))
    }
}
