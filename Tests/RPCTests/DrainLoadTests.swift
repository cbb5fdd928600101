import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// A stop while peers go on asking, on several event loops.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DrainLoadTests {
    private let gatedCalls = 10 as Int64
    private let otherCalls = 600 as Int64

    /// What one plain peer got, by correlation id: whether its call was done.
    private func load(
        _ server: RPCServer, _ events: Events, drains: Bool
    ) async throws -> (outcomes: [Int64: Bool], strays: Int) {
        try await RawPeer.connect(to: server) { peer in
            for id in 1...gatedCalls {
                try await peer.send(try plainRequest("test.Service", "Gated", id: id))
            }
            while events.all.count(where: { $0 == "gated started" }) < 4 * Int(gatedCalls) {
                try await Task.sleep(for: .milliseconds(2))
            }
            var outcomes: [Int64: Bool] = [:]
            var strays = 0
            var last = 1_000_000 as Int64
            for id in gatedCalls + 1...gatedCalls + otherCalls {
                if drains, id == gatedCalls + 50 { server.drain() }
                if drains, id == gatedCalls + 200 {
                    // From here on new calls are refused; those that wait keep the server.
                    while !outcomes.values.contains(false) {
                        last += 1
                        try await peer.send(try plainRequest("test.Service", "Fields", id: last))
                        guard let meta = try await peer.frame()?.callMeta() else { break }
                        outcomes[meta.correlationID] = meta.response?.errorCode == 0
                    }
                    events.report("gate opened")
                }
                do {
                    try await peer.send(try plainRequest("test.Service", "Fields", id: id))
                } catch {
                    // The server has ended; what it sent is still to be read.
                    break
                }
            }
            while let meta = try await peer.frame()?.callMeta() {
                let code = meta.response?.errorCode
                if code != 0, code != RPCError.Code.loggedOff { strays += 1 }
                if outcomes.updateValue(code == 0, forKey: meta.correlationID) != nil {
                    strays += 1
                }
            }
            return (outcomes, strays)
        }
    }

    @Test func `every accepted call is answered to peers that go on asking`() async throws {
        let events = Events()
        let configuration = testConfiguration {
            $0.credentials = .none
            $0.eventLoops = 2
        }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            let results = try await withThrowingTaskGroup(
                of: (outcomes: [Int64: Bool], strays: Int).self
            ) { group in
                for number in 0..<4 {
                    group.addTask { try await load(server, events, drains: number == 0) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let done = results.reduce(0) { sum, result in
                sum + result.outcomes.values.count { $0 }
            }
            let accepted = events.all.count { $0 == "gated started" || $0 == "fields normal" }
            #expect(results.allSatisfy { $0.strays == 0 })
            #expect(done == accepted)
            for result in results {
                #expect((1...gatedCalls).allSatisfy { result.outcomes[$0] == true })
            }
            #expect(results.contains { $0.outcomes.values.contains(false) }, "some were refused")
        }
    }

    /// Two connections that nobody reads from for now, one on each loop, and two others.
    @Test func `no event loop waits for another's slow peers`() async throws {
        let events = Events()
        let mebibyte = 1_024 * 1_024
        let configuration = testConfiguration {
            $0.credentials = .none
            $0.eventLoops = 2
        }
        func stuck(
            _ server: RPCServer, _ body: (inout RawPeer) async throws -> Void
        ) async throws {
            try await RawPeer.connect(to: server, receiveBufferBytes: 65_536) { peer in
                let request = try plainRequest(
                    "test.Service", "Bulk", id: 1, payload: "\(15 * mebibyte)")
                try await peer.send(request)
                try await body(&peer)
                #expect(await peer.countedRest(pauses: 0) > 15 * mebibyte)
            }
        }
        func quick(
            _ server: RPCServer, _ body: () async throws -> Void
        ) async throws {
            try await RawPeer.connect(to: server) { peer in
                try await peer.send(try plainRequest("test.Service", "Echo", id: 1))
                _ = try await peer.frame()
                try await body()
                #expect(await peer.isClosed())
            }
        }
        try await withTestServer(.socket, events: events, configuration: configuration) {
            (_, server) async throws in
            try await stuck(server) { _ in
                try await stuck(server) { _ in
                    try await quick(server) {
                        try await quick(server) {
                            while events.all.count < 2 {
                                try await Task.sleep(for: .milliseconds(2))
                            }
                            server.drain()
                        }
                    }
                }
            }
        }
    }
}
