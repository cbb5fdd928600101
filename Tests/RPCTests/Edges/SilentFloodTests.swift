import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Much that needs no answer: whoever answered it would let a peer that does not read fill memory,
/// and sockets keep too much of it for that to be seen over them.
@Suite(.timeLimit(.minutes(2))) struct SilentFloodTests {
    /// What is sent over and over.
    enum Flood: CaseIterable {
        case closesForNobody
        case resetsForNobody
        case feedbackForNobody
        case cancelsWithoutReply
        case callsWithoutReply
        case refusedWithoutReply
        case pongs
        case feedback
        case emptyMessages
        case emptyFragments
    }

    private func silent(_ method: String, service: String = "test.Service") throws -> ByteBuffer {
        try announced(method, id: 7, service: service) {
            $0.envelopeExtension?.noReply = true
            if method == "Cancel" { $0.envelopeExtension?.cancelID = 99 }
        }
    }

    private func packet(_ flood: Flood, stream: Int64) throws -> ByteBuffer {
        switch flood {
        case .closesForNobody: try streamPacket(.close, to: 777)
        case .resetsForNobody: try streamPacket(.reset, to: 777)
        case .feedbackForNobody: try streamPacket(.feedback, to: 777) { $0.consumedSize = 1 }
        case .cancelsWithoutReply: try silent("Cancel", service: "rpc.Control")
        case .callsWithoutReply: try silent("Echo")
        case .refusedWithoutReply: try silent("Nope")
        case .pongs: try controlPacket(.pong)
        // More than was ever sent, which is a lie.
        case .feedback: try streamPacket(.feedback, to: stream) { $0.consumedSize = .max }
        case .emptyMessages: try streamPacket(.data, to: stream)
        case .emptyFragments: try streamPacket(.data, to: stream) { $0.hasContinuation = true }
        }
    }

    @Test(arguments: Flood.allCases)
    func `what needs no answer has none, and leaves nothing behind`(flood: Flood) throws {
        let server = try EmbeddedServer()
        try server.receive(
            try announced("Gather", id: 7) {
                $0.streamSettings = StreamSettings(
                    streamID: 5, needFeedback: false, writable: true)
            })
        let opening = try #require(try server.release().first).streamMeta()
        let stream = try #require(opening.sourceStreamID)
        let before = server.edge.countedBytes.inFlight
        // What was read is counted until the peer would be told of it.
        let window = Int(Limits.rpcStreamWindowBytes) / 4
        let packet = Array(try packet(flood, stream: stream).readableBytesView)
        let burst = ByteBuffer(bytes: Array(repeating: packet, count: 1_000).flatMap(\.self))
        for _ in 0..<20 {
            try server.receive(burst)
            #expect(server.heldBytes == 0)
            let held = server.edge.countedBytes.inFlight - before
            #expect(held <= (flood == .emptyMessages ? window + 32_000 : 0))
            #expect(server.connection.callCount == 1)
            #expect(server.connection.frameReader.keptBytes <= Limits.rpcUnfinishedFreeBytes)
        }
        // The stream is none the worse for it.
        if flood == .emptyFragments { try server.receive(try streamPacket(.data, to: stream)) }
        try server.receive(
            try streamPacket(.data, to: stream) {
                $0.envelopeExtension = EnvelopeExtension()
                $0.envelopeExtension?.endOfStream = true
            })
        let said = try server.release()
        let heard =
            switch flood {
            case .emptyMessages: 20_000
            case .emptyFragments: 1
            default: 0
            }
        #expect(said.first?.body == ByteBuffer(string: "\(heard) messages, 0 bytes"))
        #expect(try said.last?.streamMeta().frameType == .close)
        try server.close()
    }
}
