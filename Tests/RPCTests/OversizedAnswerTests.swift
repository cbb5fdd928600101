import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Answers that no client would take: they are told in short, and harm no other call.
@Suite(.timeLimit(.minutes(1))) struct OversizedAnswerTests {
    /// The error of a stream, at its beginning or its end.
    private func errorOfStream(
        _ transport: SocketTransport, _ method: MethodDescriptor, _ payload: String
    ) async -> RPCError? {
        await errorOf {
            let stream = try await transport.openStream(call(method, Array(payload.utf8)))
            while try await stream.next() != nil {}
        }
    }

    @Test(arguments: [
        "long text", "long field", "many fields", "long field of an error",
        "many fields of an error",
    ])
    func `an answer with too much beside its message fails alone`(excess: String) async throws {
        let events = Events()
        try await withTestServer(.socket, events: events) { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { (group) async throws in
                group.addTask { _ = try await transport.answer(call(TestMethods.hang)) }
                #expect(await events.wait(for: "hang started"))
                let errors = [
                    await errorOf {
                        let tooMuch = call(TestMethods.overdo, Array(excess.utf8))
                        _ = try await transport.answer(tooMuch)
                    },
                    // In place of the response that would open a stream, and at a stream's end.
                    await errorOfStream(transport, TestMethods.overdo, excess),
                    await errorOfStream(transport, TestMethods.overdoStream, excess),
                ]
                let code = excess == "long text" ? Failure.Code.notFound : .internalError
                #expect(errors.map { $0?.failure.code } == [code, code, code])
                #expect(errors.allSatisfy { $0?.text.isEmpty == false })
                #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
                #expect(!events.all.contains("hang cancelled"))
                group.cancelAll()
                while let ended = await group.nextResult() { _ = ended }
            }
        }
    }

    @Test func `an error's text is cut between two characters`() async throws {
        try await withTestServer { (transport, _) async throws in
            let error = await errorOf {
                _ = try await transport.answer(call(TestMethods.overdo, Array("long text".utf8)))
            }
            #expect(
                error?.text == String(repeating: "é", count: Limits.rpcErrorTextBytes / 2))
        }
    }

    @Test func `the name of a method that there is not is cut too`() async throws {
        try await withTestServer(.socket) { (transport, _) async throws in
            let name = String(repeating: "x", count: Limits.rpcMetaBytes - 1_024)
            let error = await errorOf {
                _ = try await transport.answer(call(TestMethods.unary(name)))
            }
            #expect(error?.code == RPCError.Code.noMethod)
            #expect((error?.text.utf8.count ?? 0) <= Limits.rpcErrorTextBytes)
            #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
        }
    }

    @Test func `a response that fills a packet alone leaves no room for what names it`()
        async throws
    {
        try await withTestServer(.socket) { (transport, _) async throws in
            for size in [Limits.rpcBodyBytes, Limits.rpcBodyBytes - Limits.rpcMetaBytes + 1] {
                let error = await errorOf {
                    let bulk = call(TestMethods.bulk, Array("\(size)".utf8))
                    _ = try await transport.answer(bulk)
                }
                #expect(error?.failure.code == .internalError)
            }
            let most = Limits.rpcBodyBytes - Limits.rpcMetaBytes
            let answer = try await transport.answer(call(TestMethods.bulk, Array("\(most)".utf8)))
            #expect(answer.count == most)
        }
    }
}
