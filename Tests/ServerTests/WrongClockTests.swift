import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

/// What callers see of a server whose clock was set wrong while it runs.
@Suite(.timeLimit(.minutes(1))) struct WrongClockTests {
    private static func behind(_ store: any Store) -> any Store {
        CutStore(store, clockRefusal: "The clock is behind.") { _ in false }
    }

    @Test(arguments: Reach.allCases)
    func `a chat is refused, and the rest goes on`(reach: Reach) async throws {
        try await ServerBench.with(reach, chatsOver: Self.behind) { world in
            try await world.client { client in
                let person = Person(client, authorization: try await world.signIn().token)
                let refusal = await error { _ = try await person.ask(id: "q1") }
                #expect(refusal?.code == "unavailable")
                #expect(refusal?.httpStatus == 503)
                #expect(refusal?.message.contains("cannot tell the time") == true)
                #expect(world.models.asked == [])
                #expect(try await person.quota().trialUsedCalls == 0)
            }
        }
    }

    @Test func `the refusal says that nothing was begun, so another server may be asked`()
        async throws
    {
        try await ServerBench.with(chatsOver: Self.behind) { world in
            let transport = SocketTransport(
                .inProcess(world.server), credential: Array("web".utf8))
            let request = try Person.request(id: "q1").withEncoded { Array($0) }
            var refusal: RPCError?
            do {
                _ = try await transport.openStream(
                    OutgoingCall(
                        method: Methods.ChatService.ask, payload: request,
                        userFields: ["authorization": try await world.signIn().token],
                        deadline: CallDeadline(milliseconds: 10_000)))
            } catch {
                refusal = error as? RPCError
            }
            #expect(refusal?.isNotProcessed == true)
            #expect(refusal?.failure.code == .unavailable)
            await transport.close()
        }
    }
}
