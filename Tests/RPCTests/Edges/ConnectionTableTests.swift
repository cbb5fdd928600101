import NIOCore
import Testing

@testable import TollgateRPC

/// Who gets a place, in all and per address.
struct ConnectionTableTests {
    private let ann = PeerAddress.network([192, 0, 2, 1])
    private let bob = PeerAddress.network([192, 0, 2, 2])

    private func table(_ change: (inout ServerLimits) -> Void) -> ConnectionTable {
        var limits = ServerLimits()
        change(&limits)
        return ConnectionTable(limits)
    }

    @Test func `beyond the limit connections are spare, and the oldest silent one makes room`() {
        var table = table {
            $0.connections = 2
            $0.spareConnections = 2
        }
        func open(_ number: UInt64, from address: PeerAddress) -> ConnectionTable.Verdict {
            table.open(number, from: address)
        }
        #expect(open(1, from: ann) == .admit)
        #expect(open(2, from: bob) == .admit)
        #expect(open(3, from: ann) == .spare(evicting: nil))
        #expect(open(4, from: ann) == .spare(evicting: nil))
        #expect(open(5, from: ann) == .spare(evicting: 3))
        table.spoke(4)
        #expect(open(6, from: ann) == .spare(evicting: 5))
        table.spoke(6)
        #expect(open(7, from: ann) == .close, "everybody who is there is being answered")
        table.close(4)
        #expect(open(8, from: ann) == .spare(evicting: nil))
        table.close(1)
        #expect(open(9, from: ann) == .admit, "a place that is free is given")
        #expect(table.count == 2)
    }

    @Test func `an address has no more than its part, and this machine has no such part`() {
        var table = table { $0.connectionsPerAddress = 1 }
        func open(_ number: UInt64, from address: PeerAddress) -> ConnectionTable.Verdict {
            table.open(number, from: address)
        }
        #expect(open(1, from: ann) == .admit)
        #expect(open(2, from: ann) == .spare(evicting: nil))
        #expect(open(3, from: bob) == .admit)
        #expect(open(4, from: .loopback) == .admit)
        #expect(open(5, from: .loopback) == .admit)
        table.close(1)
        #expect(open(6, from: ann) == .admit)
    }

    @Test(arguments: [
        ("127.0.0.1", "127.9.9.9", true), ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true), ("2001:db8::1", "2001:db8::ffff:1", true),
        ("2001:db8::1", "2001:db8:0:1::1", false), ("::1", "127.0.0.1", true),
        ("::1", "::2", false),
    ])
    func `addresses of one customer are counted together`(
        left: String, right: String, areOne: Bool
    ) throws {
        let left = PeerAddress(try SocketAddress(ipAddress: left, port: 1))
        let right = PeerAddress(try SocketAddress(ipAddress: right, port: 2))
        #expect((left == right) == areOne)
    }

    @Test func `strangers share a budget of bytes, and each has a little for itself`() {
        var limits = ServerLimits()
        limits.unverifiedBytes = 1_000
        let edge = ServerEdge(limits)
        let (first, second) = (ConnectionBudget(edge), ConnectionBudget(edge))
        #expect(first.received(16 * 1_024 + 900))
        #expect(second.received(16 * 1_024))
        #expect(!second.received(101))
        first.verified()
        #expect(first.received(1 << 30), "a credential ends the counting")
        #expect(second.received(101))
        second.closed()
        #expect(edge.countedBytes.unverified == 0)
    }

    @Test func `bytes in work are bounded on a connection and in all`() throws {
        var limits = ServerLimits()
        limits.bytesInFlightPerConnection = 100
        limits.bytesInFlight = 150
        let edge = ServerEdge(limits)
        let (first, second) = (ConnectionBudget(edge), ConnectionBudget(edge))
        try first.enter(100)
        #expect(throws: RPCError.self) { try first.enter(1) }
        #expect(throws: RPCError.self) { try second.enter(51) }
        try second.enter(50)
        first.leave(100)
        try second.enter(50)
        second.leave(50)
        second.leave(50)
        #expect(edge.countedBytes.inFlight == 0)
    }
}
