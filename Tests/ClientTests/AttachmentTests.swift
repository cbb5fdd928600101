import NIOCore
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Bytes beside a call's messages.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AttachmentTests {
    private let ping = Methods.DiagnosticsService.ping

    /// Answers with the attachment and one byte more, or none for none.
    private var services: [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .unary(ping) { (request: V1.PingRequest, context) in
                        let bytes = context.attachmentBytes
                        if !bytes.isEmpty { context.setResponseAttachment(bytes + [1]) }
                        context.setTrailers(["length": "\(bytes.count)"])
                        return V1.PingResponse(payload: request.payload)
                    }
                ])
        ]
    }

    private func bytes(_ count: Int) -> [UInt8] {
        count < 2 ? Array(repeating: 3, count: count) : Array(repeating: 5, count: count - 1) + [6]
    }

    /// Short, long enough to be sent from where it lies, and many socket buffers long.
    @Test(arguments: Reach.allCases, [0, 1, 40_000, 2_000_000])
    func `an attachment goes out and another comes back`(reach: Reach, count: Int) async throws {
        try await withTestClient(reach, services: services) { (client, _) async throws in
            let answer: CallAnswer<V1.PingResponse> = try await client.exchange(
                ping, V1.PingRequest(payload: [7]), attachment: bytes(count))
            #expect(answer.message.payload == [7])
            // Compared apart: to show how long bytes differ takes minutes.
            let isWhole = answer.attachment == (count == 0 ? [] : bytes(count) + [1])
            #expect(isWhole)
            #expect(answer.userFields == ["length": "\(count)"])
        }
    }

    @Test(arguments: Reach.allCases)
    func `an attachment is covered by the checksum and beside what is compressed`(
        reach: Reach
    ) async throws {
        try await withTestClient(reach, services: services) { (client, _) async throws in
            var options = CallOptions()
            options.hasChecksum = true
            options.compression = .gzip
            let request = V1.PingRequest(payload: Array(repeating: 7, count: 10_000))
            let answer: CallAnswer<V1.PingResponse> = try await client.exchange(
                ping, request, attachment: bytes(300_000), options: options)
            #expect(answer.message.payload == request.payload)
            let isWhole = answer.attachment == bytes(300_000) + [1]
            #expect(isWhole)
        }
    }

    @Test func `an attachment that is too long is refused, and the connection goes on`()
        async throws
    {
        try await withTestClient(.socket, services: services) { (client, _) async throws in
            let error = await errorOf {
                _ = try await client.exchangeBytes(
                    ping, [], attachment: bytes(Limits.rpcBodyBytes))
            }
            #expect(error?.code == "invalid_request")
            let answer = try await client.exchangeBytes(ping, [], attachment: [1, 2])
            #expect(answer.attachment == [1, 2, 1])
        }
    }

    @Test func `every attempt carries the attachment`() async throws {
        let transport = ForgetfulTransport()
        let client = TollgateClient(transport: transport)
        let retried = try await client.exchangeBytes(ping, [], attachment: [1, 2, 3])
        #expect(retried.attachment == [1, 2, 3])
        #expect(transport.seen == [[1, 2, 3], [1, 2, 3]])
        var options = CallOptions()
        options.hedgeAfterMilliseconds = 1
        let hedged = try await client.exchangeBytes(ping, [9], attachment: [4], options: options)
        #expect(hedged.attachment == [4])
        #expect(transport.seen.suffix(2) == [[4], [4]])
    }

    @Test func `a hosted method sees and sends attachments`() async throws {
        let method = HostedMethod.unary(ping) {
            (request: V1.PingRequest, call) -> V1.PingResponse in
            call.setAnswerAttachment(call.attachment + [0])
            call.setAnswerFields(["seen": "\(call.attachment.count)"])
            return V1.PingResponse(payload: request.payload)
        }
        try await withHostedMethods([method]) { client in
            let answer: CallAnswer<V1.PingResponse> = try await client.exchange(
                ping, V1.PingRequest(), attachment: [5, 6])
            #expect(answer.attachment == [5, 6, 0])
            #expect(answer.userFields == ["seen": "2"])
        }
    }
}

/// Fails the first attempt of a call without a payload, never answers the first of one with one,
/// and returns the attachment in the second.
private final class ForgetfulTransport: ClientTransport {
    private let attachments: Mutex<[[UInt8]]> = Mutex([])

    var seen: [[UInt8]] { attachments.withLock { $0 } }

    func exchange(_ call: OutgoingCall) async throws(RPCError) -> IncomingResponse {
        let attachment = Array(call.attachment.readableBytesView)
        let isFirst = attachments.withLock { attachments in
            defer { attachments.append(attachment) }
            return !attachments.contains(attachment)
        }
        guard isFirst else { return IncomingResponse(payload: [], attachment: call.attachment) }
        if !call.payload.isEmpty { try? await Task.sleep(for: .seconds(60)) }
        throw RPCError(code: RPCError.Code.endOfFile, text: "broken off")
    }

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        try await exchange(call).payload
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func close() async {}
}
