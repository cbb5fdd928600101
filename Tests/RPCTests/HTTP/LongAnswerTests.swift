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
