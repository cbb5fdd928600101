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
