import NIOCore
import Synchronization
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Peers that read slowly, or not at all.
@Suite(.serialized, .timeLimit(.minutes(3))) struct SlowReaderTests {
    private let mebibyte = 1_024 * 1_024

    private func configuration(
        _ change: (inout RPCServerConfiguration) -> Void = { _ in }
    ) -> RPCServerConfiguration {
        testConfiguration {
            $0.credentials = .none
            change(&$0)
        }
    }

    private func bulk(_ bytes: Int, id: Int64) throws -> ByteBuffer {
        try plainRequest("test.Service", "Bulk", id: id, payload: "\(bytes)") {
            $0.envelopeExtension = .announcement
        }
    }

    // MARK: Ends

    /// Three seconds of the answer are beyond what the kernel keeps.
    @Test func `a slow reader has a long answer whole while the server stops`() async throws {
        let events = Events()
        try await withTestServer(.socket, events: events, configuration: configuration()) {
            (_, server) async throws in
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                try await peer.send(try bulk(15 * mebibyte, id: 1))
                #expect(await events.wait(for: "bulk answered"))
                server.drain()
                let bytes = await peer.countedRest(pauses: 60)
                #expect(bytes > 15 * mebibyte)
            }
        }
    }

    @Test func `a slow reader has a long answer whole over HTTP while the server stops`()
        async throws
    {
        let events = Events()
        try await withHTTPServer(events: events) { server, host in
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                try await peer.send(ByteBuffer(string: httpCall("Huge", host: host)))
                let head = try await peer.text(until: "\r\n\r\n")
                server.drain()
                let bytes = await peer.countedRest(pauses: 60)
                #expect(head.hasPrefix("HTTP/1.1 200"))
                #expect(bytes > HTTPTestService.hugeCount)
            }
        }
    }

    /// A hundred pages in one packet are 30 MB; who does not read the first gets no more of them.
    @Test func `who asks for pages ahead and does not read gets what there is, and no more`()
        async throws
    {
        let page = String(repeating: "m", count: 300_000)
        let pages = Atomic(0)
        let asked = 100
        var configuration = testConfiguration()
        configuration.pages.metrics = {
            pages.add(1, ordering: .relaxed)
            return page
        }
        let counted = configuration
        try await withHTTPServer(configuration: counted) { server, host in
            let request = "GET /metrics HTTP/1.1\r\nHost: \(host)\r\n\r\n"
            let read = try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                try await peer.send(ByteBuffer(string: String(repeating: request, count: asked)))
                // Nobody reads until the server has made no page for a second.
                var (last, since) = (0, 0)
                while last == 0 || since < 20 {
                    try await Task.sleep(for: .milliseconds(50))
                    let now = pages.load(ordering: .relaxed)
                    since = now == last ? since + 1 : 0
                    last = now
                }
                return await peer.countedRest(pauses: 0)
            }
            let made = pages.load(ordering: .relaxed)
            #expect(made > 0 && made < asked)
            #expect(read > made * page.utf8.count, "what was made arrives whole")
        }
    }

    /// Well before the drain's own end, which is 25 seconds away.
    @Test func `a peer that reads nothing does not keep a server from stopping`() async throws {
        let events = Events()
        let server = try RPCServer(configuration(), services: testServices(events))
        let running = Task { try await server.run() }
        try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
            try await peer.send(try bulk(15 * mebibyte, id: 1))
            #expect(await events.wait(for: "bulk answered"))
            let start = ContinuousClock.now
            server.drain()
            try await running.value
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test func `patience counts from what was taken last, within a bound`() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let stall = Limits.rpcCloseStallMilliseconds
        var patience = ReaderPatience(
            until: start + .milliseconds(10 * stall), untakenBytes: 100, now: start)
        func isOver(_ now: Int64, _ untaken: Int, isWritten: Bool = true) -> Bool {
            patience.isOver(
                start + .milliseconds(now), untakenBytes: untaken, isWritten: isWritten)
        }
        #expect(!isOver(stall - 1, 100))
        #expect(!isOver(stall - 1, 99))
        #expect(!isOver(2 * stall - 2, 99))
        #expect(isOver(2 * stall - 1, 99))
        // An answer that is still being made is not the peer's fault.
        #expect(!isOver(4 * stall, 0, isWritten: false))
        #expect(!isOver(6 * stall, 0, isWritten: false))
        // Everything is there: the peer has a moment to end its side.
        #expect(!isOver(6 * stall + Limits.rpcCloseMilliseconds - 1, 0))
        #expect(isOver(6 * stall + Limits.rpcCloseMilliseconds, 0))
        #expect(isOver(10 * stall, 7), "a bound for those who always take a little")
    }

    // MARK: Life

    @Test func `a peer that we do not read from is not taken for dead`() async throws {
        let keepalive = Keepalive(silenceMilliseconds: 500, patienceMilliseconds: 500)
        let configuration = configuration { $0.keepalive = keepalive }
        try await withTestServer(.socket, configuration: configuration) {
            (_, server) async throws in
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                try await peer.send(try bulk(15 * mebibyte, id: 1))
                let bytes = await peer.countedRest(pauses: 60)
                #expect(bytes > 15 * mebibyte)
            }
        }
    }

    /// The channel has room all the time, so the server reads, and hears nothing.
    @Test func `a peer that only reads slowly is not taken for dead`() async throws {
        let keepalive = Keepalive(silenceMilliseconds: 1_000, patienceMilliseconds: 1_000)
        let configuration = configuration { $0.keepalive = keepalive }
        try await withTestServer(.socket, configuration: configuration) {
            (_, server) async throws in
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                // One message of eight MiB.
                var request = try plainRequest(
                    "test.Service", "Big", id: 1, payload: "\0\u{7F}\u{7F}\u{7F}"
                ) {
                    $0.envelopeExtension = .announcement
                    $0.streamSettings = StreamSettings(
                        streamID: 1, needFeedback: false, writable: true)
                }
                try await peer.send(request)
                request.clear()
                let bytes = await peer.countedRest(pauses: 100)
                #expect(bytes > 0x7f_7f7f)
            }
        }
    }

    @Test func `only bytes that a peer was behind with show that it reads`() {
        var reader = ReaderProgress()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        func note(_ now: Int64, untaken: Int) {
            reader.note(start + .milliseconds(now)) { untaken }
        }
        reader.sentBytes = 10_000
        note(10, untaken: 0)
        #expect(reader.lastTaken < start, "its kernel took them")
        reader.sentBytes = 110_000
        note(20, untaken: 90_000)
        #expect(reader.lastTaken < start)
        note(30, untaken: 80_000)
        #expect(reader.lastTaken == start + .milliseconds(20), "no later than it was")
        note(40, untaken: 80_000)
        #expect(reader.lastTaken == start + .milliseconds(20))
        reader.sentBytes = 120_000
        note(50, untaken: 85_000)
        #expect(reader.lastTaken == start + .milliseconds(40))
        note(60, untaken: 100)
        note(70, untaken: 0)
        #expect(reader.lastTaken == start + .milliseconds(50), "the last bytes say nothing")
    }

    // MARK: Memory

    @Test func `unread answers count, further calls are refused, and accepted ones answered`()
        async throws
    {
        let events = Events()
        let limit = 4 * mebibyte
        let configuration = configuration { $0.limits.unsentBytesPerConnection = limit }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            let edge = server.core.edge
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                var burst = ByteBuffer()
                for id in 1...100 as ClosedRange<Int64> {
                    burst.writeImmutableBuffer(try bulk(mebibyte, id: id))
                }
                try await peer.send(burst)
                for _ in 0..<2_000 where edge.countedBytes.inFlight < limit {
                    try await Task.sleep(for: .milliseconds(5))
                }
                let held = edge.countedBytes.inFlight
                #expect(held >= limit)
                #expect(held < limit + 2 * mebibyte)
                var answered: Set<Int64> = []
                var refused: Set<Int64> = []
                for _ in 0..<100 {
                    let frame = try #require(try await peer.frame())
                    let meta = try frame.callMeta()
                    if meta.response?.errorCode == RPCError.Code.overcrowded {
                        #expect(meta.envelopeExtension?.notProcessed == true)
                        refused.insert(meta.correlationID)
                    } else {
                        #expect(meta.response?.errorCode == 0)
                        #expect(frame.body.readableBytes == mebibyte)
                        answered.insert(meta.correlationID)
                    }
                }
                #expect(answered.count == events.all.count, "every accepted call is answered")
                #expect(answered.union(refused).count == 100)
                #expect(!refused.isEmpty)
                try await peer.send(try bulk(1, id: 101))
                #expect(try await peer.frame()?.callMeta().response?.errorCode == 0)
                #expect(edge.countedBytes.inFlight == 0)
            }
        }
    }

    @Test func `answers beyond twice the limit are dropped, and their callers told`() async throws {
        let events = Events()
        let limit = 4 * mebibyte
        let configuration = configuration { $0.limits.unsentBytesPerConnection = limit }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            let edge = server.core.edge
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                var burst = ByteBuffer()
                for id in 1...40 as ClosedRange<Int64> {
                    burst.writeImmutableBuffer(
                        try plainRequest(
                            "test.Service", "GatedBulk", id: id, payload: "\(mebibyte)"))
                }
                try await peer.send(burst)
                // All are accepted before the first is answered.
                while events.all.count < 40 { try await Task.sleep(for: .milliseconds(2)) }
                events.report("gate opened")
                for _ in 0..<2_000 where edge.countedBytes.inFlight < limit {
                    try await Task.sleep(for: .milliseconds(5))
                }
                var codes: [Int32: Int] = [:]
                var most = 0
                for _ in 0..<40 {
                    most = max(most, edge.countedBytes.inFlight)
                    let meta = try #require(try await peer.frame()).callMeta()
                    codes[meta.response?.errorCode ?? 0, default: 0] += 1
                }
                #expect(most <= 2 * limit + mebibyte)
                #expect(codes[0, default: 0] >= 8)
                #expect(codes[RPCError(Failure(.unknownOutcome, "")).code, default: 0] > 0)
                #expect(codes.count == 2)
            }
        }
    }

    /// More than a receiver keeps unread of a sender that counts bytes alone.
    private let many = Limits.rpcStreamUnreadMessages + 50_000

    /// As many as fill a window without a byte.
    private let windowful = Int(Limits.rpcStreamWindowBytes) / Limits.rpcStreamMessageBytes

    @Test(arguments: Reach.allCases)
    func `who streams messages without a byte is held back, and all of them arrive`(
        reach: Reach
    ) async throws {
        let events = Events()
        let written = Written()
        let count = many
        try await withTestServer(reach, events: events) { (transport, server) async throws in
            let stream = try await transport.openDuplex(call(TestMethods.deaf))
            let packet = server.core.edge.countedBytes.inFlight
            let writer = Task {
                for _ in 0..<count {
                    try await stream.outgoing.write(ByteBuffer())
                    written.count.add(1, ordering: .relaxed)
                }
                stream.outgoing.finish()
            }
            // What they cost is counted where they wait.
            let window = packet + Int(Limits.rpcStreamWindowBytes)
            for _ in 0..<4_000 where server.core.edge.countedBytes.inFlight < window {
                try await Task.sleep(for: .milliseconds(5))
            }
            // Time for those that should not come.
            try await Task.sleep(for: .milliseconds(200))
            #expect(server.core.edge.countedBytes.inFlight == window)
            #expect(written.count.load(ordering: .relaxed) == windowful)
            events.report("ears opened")
            try await writer.value
            #expect(await events.wait(for: "deaf heard \(count)", seconds: 60))
            #expect(try await stream.incoming.next() == nil)
            #expect(server.core.edge.countedBytes.inFlight == 0)
        }
    }

    @Test func `a server whose messages without a byte nobody reads is held back too`()
        async throws
    {
        let events = Events()
        try await withTestServer(.socket, events: events) { (transport, _) async throws in
            let count = ByteBuffer(integer: UInt32(many))
            let stream = try await transport.openStream(
                call(TestMethods.empties, Array(count.readableBytesView)))
            // Nobody reads until the server has written nothing for a second.
            var (last, since) = (0, 0)
            while last == 0 || since < 20 {
                try await Task.sleep(for: .milliseconds(50))
                let now = events.all.count
                since = now == last ? since + 1 : 0
                last = now
            }
            #expect(events.all.last == "wrote \(windowful)")
            var read = 0
            while try await stream.next() != nil { read += 1 }
            #expect(read == many)
        }
    }

    @Test func `messages without a byte wait for their reader too`() async throws {
        let most = Limits.rpcStreamUnsentBytes / Limits.rpcFrameOverheadBytes
        let all = 2 * most + 10
        let written = Events()
        let sink = StreamSink {}
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 1...all {
                    try await sink.write(ByteBuffer())
                    if number.isMultiple(of: most) || number == all { written.report("\(number)") }
                }
            }
            #expect(await written.wait(for: "\(most)"))
            // Time for those that should not come.
            try await Task.sleep(for: .milliseconds(100))
            #expect(written.all == ["\(most)"])
            var taken = 0
            while taken < all {
                if sink.takePiece() == nil {
                    try await Task.sleep(for: .milliseconds(1))
                } else {
                    taken += 1
                }
            }
            try await group.waitForAll()
            #expect(sink.takePiece() == nil)
        }
    }
}

/// How many messages a task has written.
private final class Written: Sendable {
    let count = Atomic(0)
}
