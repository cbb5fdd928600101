import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Requests that a client sends before it has the answers to those before them.
@Suite(.timeLimit(.minutes(1))) struct SentAheadTests {
    /// How deep in the stack pages are made; the first page waits until it is let go.
    private final class Depths: Sendable {
        private struct State {
            var places: [UInt] = []
            var first: CheckedContinuation<Void, Never>?
        }

        private let state = Mutex(State())

        var pages: ServerPages {
            ServerPages(metrics: { [self] in
                note()
                if state.withLock({ $0.places.count }) == 1 { await wait() }
                return "a page"
            })
        }

        private func wait() async {
            await withCheckedContinuation { continuation in
                state.withLock { $0.first = continuation }
            }
        }

        @inline(never)
        private func note() {
            var here: UInt8 = 0
            let place = withUnsafePointer(to: &here) { UInt(bitPattern: $0) }
            state.withLock { $0.places.append(place) }
        }

        func letFirstGo() { state.withLock { $0.first }?.resume() }

        var count: Int { state.withLock { $0.places.count } }

        /// Bytes of stack between the highest and the lowest of what was sent ahead.
        var spreadBytes: UInt {
            state.withLock { state in
                let ahead = state.places.dropFirst()
                return (ahead.max() ?? 0) - (ahead.min() ?? 0)
            }
        }
    }

    /// Short requests: a page, a call whose body is no JSON, or one that is refused.
    enum Ahead: String, CaseIterable, Sendable {
        case page
        case malformedCall

        func send(to http: EmbeddedHTTP) throws {
            switch self {
            case .page: try http.receive(EmbeddedHTTP.head("/health", method: .HEAD))
            case .malformedCall:
                try http.receive(EmbeddedHTTP.head("/test.Texts/Echo", method: .POST), body: "{")
            }
        }
    }

    @Test(arguments: Ahead.allCases)
    func `requests that were sent ahead are not answered within each other`(ahead: Ahead) throws {
        let depths = Depths()
        let http = try EmbeddedHTTP(pages: depths.pages, isPipelined: true)
        let page = EmbeddedHTTP.head("/metrics")
        try http.receive(page)
        try http.receive(page)
        for _ in 0..<300 { try ahead.send(to: http) }
        try http.receive(page)
        #expect(depths.count == 1, "the others wait behind the first")
        depths.letFirstGo()
        http.channel.embeddedEventLoop.run()
        #expect(depths.count == 3)
        // A level for each would be hundreds of KiB.
        #expect(depths.spreadBytes < 16_384)
        let statuses = try http.statuses()
        #expect(statuses.count == 303)
        #expect(statuses.first == 200)
        #expect(statuses.last == 200)
        try http.close()
    }
}
