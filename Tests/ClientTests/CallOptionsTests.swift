import NIOCore
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// What a caller says about a call reaches the wire and the server.
@Suite(.serialized, .timeLimit(.minutes(2))) struct CallOptionsTests {
    /// Keeps what it is to carry, and answers with nothing.
    private final class Recorder: ClientTransport {
        private let calls: Mutex<[OutgoingCall]> = Mutex([])

        var all: [OutgoingCall] { calls.withLock { $0 } }

        func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
            calls.withLock { $0.append(call) }
            return []
        }

        func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
            calls.withLock { $0.append(call) }
            throw RPCError(code: RPCError.Code.noMethod, text: "no streams here")
        }

        func close() async {}
    }

    private var weighed: CallOptions {
        var options = CallOptions(timeoutMilliseconds: 60_000)
        options.priority = .critical
        options.compression = .gzip
        options.hasChecksum = true
        return options
    }

    @Test func `a call is plain and normal unless its options say otherwise`() async throws {
        let recorder = Recorder()
        let client = DiagnosticsServiceClient(TollgateClient(transport: recorder))
        _ = try await client.ping(.init())
        _ = try await client.ping(.init(), options: weighed)
        let calls = recorder.all
        #expect(calls.map(\.priority) == [.normal, .critical])
        #expect(calls.map(\.compression) == [nil, .gzip])
        #expect(calls.map(\.hasChecksum) == [false, true])
    }

    @Test func `every word has its own meaning on the wire`() async throws {
        let recorder = Recorder()
        let client = DiagnosticsServiceClient(TollgateClient(transport: recorder))
        for priority in CallOptions.Priority.allCases {
            var options = CallOptions()
            options.priority = priority
            _ = try await client.ping(.init(), options: options)
        }
        for compression in CallOptions.Compression.allCases {
            var options = CallOptions()
            options.compression = compression
            _ = try await client.ping(.init(), options: options)
        }
        #expect(recorder.all.prefix(3).map(\.priority) == [.background, .normal, .critical])
        #expect(recorder.all.suffix(2).map(\.compression) == [.gzip, .zlib])
    }

    @Test func `the options of a stream go with its request`() async throws {
        let recorder = Recorder()
        let client = ChatServiceClient(TollgateClient(transport: recorder))
        let error = await errorOf {
            try await client.ask(.init(), options: weighed) { _ in }
        }
        #expect(error != nil)
        #expect(recorder.all.first?.priority == .critical)
        #expect(recorder.all.first?.compression == .gzip)
    }

    // MARK: Windows

    private static let most = Limits.rpcStreamWindowBytes

    private func ask(over recorder: Recorder, window: Int64?) async -> TollgateError? {
        let client = TollgateClient(transport: recorder)
        var options = CallOptions()
        options.windowBytes = window
        return await errorOf { [options] in
            try await ChatServiceClient(client).ask(.init(), options: options) { _ in }
        }
    }

    @Test(arguments: [(nil, nil), (1, 1), (most, most), (most + 1, most)] as [(Int64?, Int64?)])
    func `a stream's window goes with its request, up to what senders have`(
        window: Int64?, sent: Int64?
    ) async throws {
        let recorder = Recorder()
        let error = await ask(over: recorder, window: window)
        #expect(error != nil)
        #expect(recorder.all.map(\.windowBytes) == [sent])
    }

    @Test(arguments: [0, -1] as [Int64])
    func `a window without a byte is refused before anything is sent`(window: Int64) async {
        let recorder = Recorder()
        let error = await ask(over: recorder, window: window)
        #expect(error?.code == "invalid_request")
        #expect(recorder.all.isEmpty)
    }

    @Test(arguments: Reach.allCases)
    func `a small window keeps the server beside its reader`(reach: Reach) async throws {
        let journal = Journal()
        let delta = String(repeating: "x", count: 32_768)
        let service = ServiceRegistration(
            name: "tollgate.v1.ChatService",
            methods: [
                .serverStreaming(Methods.ChatService.ask) {
                    (_: V1.AskRequest, _, writer: ServerStreamWriter<V1.AnswerEvent>) in
                    for _ in 0..<200 {
                        try await writer.write(.init(event: .delta(delta)))
                        journal.note("written")
                    }
                    try await writer.write(.init(event: .done(.init(finishReason: "stop"))))
                }
            ])
        try await withTestClient(reach, services: [service]) { client, _ in
            var options = CallOptions(authorization: "session", timeoutMilliseconds: 60_000)
            options.windowBytes = 1
            try await ChatServiceClient(client).ask(.init(), options: options) { events in
                var read = 0
                var lead = 0
                for try await _ in events {
                    read += 1
                    lead = max(lead, journal.all.count - read)
                }
                #expect(read == 201)
                // What was read before this look, and one more.
                #expect(lead <= 1)
            }
        }
    }

    @Test(arguments: Reach.allCases)
    func `a server reads what was compressed and secured, and answers alike`(
        reach: Reach
    ) async throws {
        let journal = Journal()
        let service = ServiceRegistration(
            name: "tollgate.v1.DiagnosticsService",
            methods: [
                .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, context) in
                    journal.note("\(context.priority)")
                    return V1.PingResponse(payload: request.payload)
                }
            ])
        try await withTestClient(reach, services: [service]) { client, _ in
            let payload = Array(repeating: UInt8(7), count: 300_000)
            let answer = try await DiagnosticsServiceClient(client)
                .ping(.init(payload: payload), options: weighed)
            #expect(answer.payload == payload)
        }
        #expect(journal.all == ["critical"])
    }
}
