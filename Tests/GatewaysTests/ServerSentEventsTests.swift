import Testing
import TollgateKernel

@testable import Gateways

struct ServerSentEventsTests {
    private func events(_ pieces: [[UInt8]]) throws -> [ServerSentEvents.Event] {
        var parser = ServerSentEvents()
        var events: [ServerSentEvents.Event] = []
        for piece in pieces { try parser.append(piece, to: &events) }
        return events
    }

    private func event(_ data: String, type: String = "message") -> ServerSentEvents.Event {
        ServerSentEvents.Event(type: type, data: Array(data.utf8))
    }

    /// The examples of section 9.2.6 of the HTML standard, and their edges.
    @Test(arguments: [
        ("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
                + "data:  third event\n\n",
            ["first event", "second event", " third event"]
        ),
        ("data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        ("data:test\n\ndata: test\n\n", ["test", "test"]),
        ("data: no blank line\n", []),
        ("\u{feff}data: after a mark\n\n", ["after a mark"]),
        ("retry: 10\nfoo: bar\n\n", []),
        ("data: 码\n\n\n\n\ndata: b\n\n", ["码", "b"]),
        (": ping\n: ping\n\n: ping\n\n", []),
    ])
    func `the standard's examples read the same with every line end`(
        stream: String, expected: [String]
    ) throws {
        for end in ["\n", "\r", "\r\n"] {
            let bytes = Array(
                stream.split(separator: "\n", omittingEmptySubsequences: false)
                    .joined(separator: end).utf8)
            #expect(try events([bytes]) == expected.map { event($0) })
        }
    }

    @Test
    func `a stream cut anywhere, even twice, gives the same events`() throws {
        let stream =
            "\u{feff}: ping\r\nevent: a\r\ndata: 你好\r\ndata: 二\r\n\r\ndata: z\r\r\ndata: y\n\n"
        let bytes = Array(stream.utf8)
        let whole = try events([bytes])
        #expect(whole == [event("你好\n二", type: "a"), event("z"), event("y")])
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [
                    Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...]),
                ]
                #expect(try events(pieces) == whole)
            }
        }
        #expect(try events(bytes.map { [$0] }) == whole)
    }

    @Test
    func `lines and events beyond the limit are refused however they are cut`() throws {
        let limit = Limits.serverSentEventBytes
        let line = [UInt8](repeating: UInt8(ascii: "a"), count: limit + 1)
        #expect(throws: ServerSentEvents.TooLarge.self) { try events([line]) }
        #expect(throws: ServerSentEvents.TooLarge.self) { try events([line + [0x0a]]) }
        #expect(throws: ServerSentEvents.TooLarge.self) {
            try events(
                stride(from: 0, to: line.count, by: 1_000).map {
                    Array(line[$0..<min($0 + 1_000, line.count)])
                })
        }
        let part = Array("data: \(String(repeating: "a", count: limit / 2))\n".utf8)
        #expect(throws: ServerSentEvents.TooLarge.self) { try events([part, part, part]) }
        #expect(try events([part, [0x0a], part, [0x0a], part, [0x0a]]).count == 3)
    }

    @Test
    func `it knows whether an event has begun`() throws {
        var parser = ServerSentEvents()
        var events: [ServerSentEvents.Event] = []
        #expect(!parser.isInsideEvent)
        try parser.append(Array("da".utf8), to: &events)
        #expect(parser.isInsideEvent)
        try parser.append(Array("ta: x\n".utf8), to: &events)
        #expect(parser.isInsideEvent)
        try parser.append(Array("\n".utf8), to: &events)
        #expect(!parser.isInsideEvent)
    }
}
