import Testing
import TollgateKernel
import TollgateRPC

/// Requests that no server would take: they end on this side, and harm no other call.
@Suite(.timeLimit(.minutes(1))) struct OversizedRequestTests {
    private static let crowd = Dictionary(
        uniqueKeysWithValues: (0...Limits.rpcUserFields).map { ("key-\($0)", "") })

    @Test(arguments: [["authorization": String(repeating: "x", count: Limits.rpcMetaBytes)], crowd])
    func aCallWithTooMuchMetadataFailsAlone(userFields: [String: String]) async throws {
        let events = Events()
        try await withTestServer(.socket, events: events) { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { (group) async throws in
                group.addTask { _ = try await transport.answer(call(TestMethods.hang)) }
                #expect(await events.wait(for: "hang started"))
                let error = await errorOf {
                    let tooMuch = call(TestMethods.echo, userFields: userFields)
                    _ = try await transport.answer(tooMuch)
                }
                #expect(error?.failure.code == .invalidRequest)
                #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
                #expect(!events.all.contains("hang cancelled"))
                group.cancelAll()
                while let ended = await group.nextResult() { _ = ended }
            }
        }
    }

    @Test func theFirstRequestThatIsWrittenCarriesTheCredential() async throws {
        try await withTestServer(.socket) { (transport, _) async throws in
            let tooLarge = [UInt8](repeating: 0, count: Limits.rpcBodyBytes)
            let error = await errorOf {
                _ = try await transport.answer(call(TestMethods.echo, tooLarge))
            }
            #expect(error?.failure.code == .invalidRequest)
            #expect(try await transport.answer(call(TestMethods.echo, [1])) == [1])
        }
    }
}
