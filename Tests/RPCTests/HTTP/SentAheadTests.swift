import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Requests that a client sends before it has the answers to those before them.
@Suite(.timeLimit(.minutes(3))) struct SentAheadTests {
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

    @Test func `twenty thousand requests that a socket brings ahead are all answered`()
        async throws
    {
        let depths = Depths()
        let configuration = testConfiguration { $0.pages = depths.pages }
        try await withHTTPServer(configuration: configuration) { server, host in
            let address = try #require(try await server.address)
            let responses = Responses()
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ResponseCounter(responses))
                    }
                }
                .connect(host: address.host, port: address.port).get()
            let end = " HTTP/1.1\r\nHost: \(host)\r\n\r\n"
            let ahead = String(repeating: "HEAD /health" + end, count: 20_000)
            let all = "GET /metrics" + end + ahead + "GET /metrics" + end
            channel.writeAndFlush(ByteBuffer(string: all), promise: nil)
            for _ in 0..<2_000 where depths.count == 0 {
                try await Task.sleep(for: .milliseconds(5))
            }
            // What the server reads meanwhile waits behind the first.
            try await Task.sleep(for: .milliseconds(300))
            #expect(responses.count == 0)
            depths.letFirstGo()
            // As long as it takes: the suite's time limit is the bound.
            while responses.count < 20_002, channel.isActive {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(responses.count == 20_002)
            try await channel.close()
        }
    }
}

/// How many responses came.
private final class Responses: Sendable {
    private let counted = Atomic(0)

    var count: Int { counted.load(ordering: .relaxed) }

    func add() { counted.add(1, ordering: .relaxed) }
}

/// Counts the ends of heads.
private final class ResponseCounter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let responses: Responses
    private var last: UInt32 = 0

    init(_ responses: Responses) { self.responses = responses }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for byte in unwrapInboundIn(data).readableBytesView {
            last = last << 8 | UInt32(byte)
            if last == 0x0d0a_0d0a { responses.add() }
        }
    }
}
