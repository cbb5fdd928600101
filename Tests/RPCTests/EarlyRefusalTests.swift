import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// A call that is refused hears why, whatever its payload is: nobody has looked at it.
@Suite(.serialized, .timeLimit(.minutes(2))) struct EarlyRefusalTests {
    /// What is wrong with a payload.
    enum Damage: CaseIterable {
        case compression
        case unknownCompression
        case checksum
        case unknownChecksum
        case message
    }

    /// What stands in a call's way.
    enum Obstacle: CaseIterable {
        case method
        case bytes
        case deadline
        case role
        case stop
    }

    /// A call of a method that reads its message, with a payload that nobody can read.
    private func request(
        _ damage: Damage, _ method: String = "Typed", id: Int64 = 7,
        _ change: (inout RpcMeta) -> Void = { _ in }
    ) throws -> ByteBuffer {
        // An unfinished number, which is no message either.
        let payload = String(repeating: "\u{7F}", count: 64)
        return try plainRequest("test.Service", method, id: id, payload: payload) {
            $0.authenticationData = Array("web".utf8)
            $0.envelopeExtension = .announcement
            switch damage {
            case .compression: $0.compressType = PayloadCompression.gzip.rawValue
            case .unknownCompression: $0.compressType = 1
            case .checksum: ($0.checksumType, $0.checksum) = (1, 7)
            case .unknownChecksum: ($0.checksumType, $0.checksum) = (9, 7)
            case .message: break
            }
            change(&$0)
        }
    }

    private func code(_ peer: inout RawPeer) async throws -> Int32? {
        try await peer.frame()?.callMeta().response?.errorCode
    }

    @Test(arguments: Damage.allCases)
    func `a call that is admitted hears that it cannot be read`(damage: Damage) async throws {
        try await withTestServer(.socket) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try request(damage))
                #expect(try await code(&peer) == RPCError.Code.badRequest)
            }
        }
    }

    @Test(arguments: Obstacle.allCases, Damage.allCases)
    func `a call that is refused hears that alone`(
        obstacle: Obstacle, damage: Damage
    ) async throws {
        let events = Events()
        let configuration = testConfiguration {
            if obstacle == .method { $0.limits.callsInFlightPerMethod = 0 }
            if obstacle == .bytes { $0.limits.bytesInFlightPerConnection = 32 }
        }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in
                if obstacle == .stop { try await hold(server, &peer, events) }
                switch obstacle {
                case .method, .bytes, .stop: try await peer.send(try request(damage))
                case .deadline:
                    try await peer.send(
                        try request(damage) { $0.request?.timeoutMilliseconds = 0 })
                case .role: try await peer.send(try request(damage, "AdminOnly"))
                }
                let wanted =
                    switch obstacle {
                    case .method, .bytes: RPCError.Code.limit
                    case .deadline: RPCError.Code.timedOut
                    case .role: RPCError(Failure(.forbidden, "")).code
                    case .stop: RPCError.Code.loggedOff
                    }
                #expect(try await code(&peer) == wanted)
                if obstacle == .stop {
                    events.report("gate opened")
                    #expect(try await code(&peer) == 0)
                }
            }
        }
    }

    /// Has a server stop, and a call keep it from being at its end.
    private func hold(
        _ server: RPCServer, _ peer: inout RawPeer, _ events: Events
    ) async throws {
        try await peer.send(
            try plainRequest("test.Service", "Gated", id: 1) {
                $0.authenticationData = Array("web".utf8)
                $0.envelopeExtension = .announcement
            })
        #expect(await events.wait(for: "gated started"))
        server.drain()
        let goAway = try #require(try await peer.frame()).callMeta()
        #expect(goAway.envelopeExtension?.control == .goAway)
    }
}
