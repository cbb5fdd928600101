import NIOCore
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Answers whose JSON is made away from the event loop.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LongAnswerTests {
    @Test func `an answer whose JSON is being made is not lost when the server stops`()
        async throws
    {
        let events = Events()
        try await withHTTPServer(events: events) { server, host in
            try await RawPeer.connect(to: server) { peer in
                let threads = BusyThreads()
                try await peer.send(ByteBuffer(string: httpCall("Long", host: host)))
                let isAnswered = await events.wait(for: "long answered")
                server.drain()
                // Its calls have ended: were it not for the answer, the server would close now.
                try await Task.sleep(for: .milliseconds(50))
                threads.letGo()
                #expect(isAnswered)
                let answer = try await peer.rest()
                #expect(answer.hasSuffix("{\"text\":\"\(HTTPTestService.longText)\"}"))
            }
        }
    }

    /// What is done on another thread comes back to the event loop, which must be there.
    @Test(arguments: [false, true])
    func `a server that stops waits for the JSON of a client that left`(
        ofRequest: Bool
    ) async throws {
        let events = Events()
        let server = try RPCServer(
            testConfiguration { $0.credentials = .none },
            services: [HTTPTestService.registration(events)])
        let running = Task {
            try await server.run()
            events.report("ended")
        }
        let host = try #require(try await server.address).description
        let threads = BusyThreads()
        defer { threads.letGo() }
        try await RawPeer.connect(to: server) { peer in
            let long = "{\"text\":\"\(HTTPTestService.longText)\"}"
            try await peer.send(
                ByteBuffer(
                    string: ofRequest
                        ? httpCall("Echo", host: host, body: long) : httpCall("Long", host: host)))
            for _ in 0..<2_000 where try await server.population.errands == 0 {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try await server.population.errands == 1)
        }
        server.drain()
        #expect(await !events.wait(for: "ended", seconds: 1))
        threads.letGo()
        try await running.value
        try await expectNothingLeftBehind(server)
    }

    @Test func `events keep their order when some of them take their time`() async throws {
        try await withHTTPServer { server, host in
            let answer = try await httpExchange(server, httpCall("LongEvents", host: host))
            let texts = answer.split(separator: "data: {\"text\":\"").dropFirst().map {
                String($0.prefix(5))
            }
            #expect(texts == ["first", "zzzzz", "third", "zzzzz", "fifth"])
            #expect(answer.contains("event: done\ndata: {}\n\n"))
        }
    }

    @Test func `an event loop makes no long event's JSON, and a stop does not lose it`()
        async throws
    {
        let events = Events()
        try await withHTTPServer(events: events) { server, host in
            try await RawPeer.connect(to: server) { peer in
                let threads = BusyThreads()
                try await peer.send(ByteBuffer(string: httpCall("LongEvents", host: host)))
                let beginning = try await peer.text(until: "first")
                let isWritten = await events.wait(for: "long events written")
                server.drain()
                try await Task.sleep(for: .milliseconds(50))
                threads.letGo()
                #expect(!beginning.contains("zzz"))
                #expect(isWritten)
                #expect(try await peer.rest().contains("event: done\ndata: {}\n\n"))
            }
        }
    }
}
