import Foundation
import Gateways
import Synchronization
import Testing
import TollgateKernel

@Suite(.timeLimit(.minutes(1)))
struct StreamedTransferTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    @Test
    func `pieces arrive while the answer is still being sent`() async throws {
        let mayContinue = DispatchSemaphore(value: 0)
        let signal = Mutex(0)
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Self.head + "first")
            mayContinue.wait()
            signal.withLock { $0 += 1 }
            connection.send("second")
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let text = try await transfers.withResponse(
                to: OutgoingRequest(.get, url: server.url)
            ) { head, body in
                #expect(head.mediaType == "text/event-stream")
                var text = try await body.next() ?? []
                #expect(text == Array("first".utf8))
                #expect(signal.withLock { $0 } == 0)
                mayContinue.signal()
                while let piece = try await body.next() { text += piece }
                return text
            }
            #expect(text == Array("firstsecond".utf8))
        }
    }

    @Test
    func `a reader that does not read holds the sender back`() async throws {
        let sent = Mutex(0)
        let total = 64 * 1_024 * 1_024
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: 7, count: 65_536)
            while sent.withLock({ $0 }) < total, connection.send(piece) {
                sent.withLock { $0 += piece.count }
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let request = OutgoingRequest(
                .get, url: server.url, timeouts: TransferTimeouts(idleMilliseconds: 200))
            let read = try await transfers.withResponse(to: request) { _, body in
                var read = try await body.next()?.count ?? 0
                // Longer than the idle time-out, which must not run while we hold back.
                try await Task.sleep(for: .milliseconds(600))
                let held = sent.withLock { $0 }
                // The rest sits in the sockets' buffers, some MiB at most.
                #expect(held < total / 4)
                while let piece = try await body.next() {
                    #expect(piece.count <= Limits.outgoingBufferedBytes + 16_384)
                    read += piece.count
                }
                return read
            }
            #expect(read == total)
        }
    }

    @Test(arguments: [true, false])
    func `cancelling the task closes the connection at once`(afterFirstByte: Bool)
        async throws
    {
        let closed = Mutex<ContinuousClock.Instant?>(nil)
        let isWaiting = Mutex(false)
        let server = try RawServer { connection in
            _ = connection.readRequest()
            if afterFirstByte { connection.send(Self.head + "first") }
            isWaiting.withLock { $0 = true }
            if connection.waitForClose(milliseconds: 5_000) { closed.withLock { $0 = .now } }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            let taken = try await fastestOfThree {
                closed.withLock { $0 = nil }
                isWaiting.withLock { $0 = false }
                return try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let request = OutgoingRequest(.get, url: server.url)
                        try await transfers.withResponse(to: request) { _, body in
                            while try await body.next() != nil {}
                        }
                    }
                    try await eventually { isWaiting.withLock { $0 } ? true : nil }
                    let cancelled = ContinuousClock.now
                    group.cancelAll()
                    await #expect(throws: CancellationError.self) { try await group.next() }
                    return try await eventually { closed.withLock { $0 } } - cancelled
                }
            }
            // A goal of 100 ms; a busy machine gets slack, short of the server giving up.
            #expect(taken < .milliseconds(4_000))
        }
    }

    @Test
    func `an error of the reader comes out as it is`() async throws {
        struct Own: Error {}
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.send(Self.head + "first")
            _ = connection.waitForClose(milliseconds: 5_000)
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            _ = await #expect(throws: Own.self) {
                try await transfers.withResponse(to: OutgoingRequest(.get, url: server.url)) {
                    _, body in
                    _ = try await body.next()
                    throw Own()
                }
            }
        }
    }

    @Test
    func `a reader that leaves early keeps the connection if the rest comes soon`() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
                connection.pause(milliseconds: 30)
                connection.send("later")
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            for _ in 0..<3 {
                try await transfers.withResponse(to: OutgoingRequest(.get, url: server.url)) {
                    _, body in
                    let piece = try await body.next()
                    #expect(piece?.starts(with: Array("first".utf8)) == true)
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(server.connections == 1)
        }
    }
}
