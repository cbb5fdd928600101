import NIOCore
import NIOEmbedded
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// A loop looks only at connections with something due.
@Suite(.timeLimit(.minutes(1))) struct DueTests {
    private func moment(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    private final class Someone {}

    @Test func `everyone is due once, in their tick or the next look after it`() {
        let people = (0..<3).map { _ in Someone() }
        let names = people.map { ObjectIdentifier($0) }
        var table = DueTable(now: moment(0))
        table.add(names[0], due: moment(25))
        table.add(names[1], due: moment(24))
        table.add(names[2], due: moment(10_000_000))
        var steps: [[ObjectIdentifier]] = []
        for now in [10, 19, 20, 30, 31] as [Int64] { steps.append(table.take(moment(now))) }
        #expect(steps == [[], [], [names[0], names[1]], [], []])
        // What is due already is due with the next tick.
        table.add(names[0], due: moment(5))
        steps = [table.take(moment(35)), table.take(moment(40))]
        #expect(steps == [[], [names[0]]])
        // A loop that slept for hours: who is due later still is not taken along.
        table.add(names[1], due: moment(20_000_020))
        steps = [
            table.take(moment(20_000_000)), table.take(moment(20_000_010)),
            table.take(moment(20_000_020)),
        ]
        #expect(steps == [[names[2]], [], [names[1]]])
    }

    @Test func `an idle connection is left alone, a call is looked at when it is due`() throws {
        let server = try EmbeddedServer()
        let start = NIODeadline.now()
        var looks = (0..<100).map { server.context.look(start + .milliseconds(10 * $0)) }
        #expect(looks.reduce(0, +) == 0)
        let request = try plainRequest("test.Service", "Hang", id: 1) {
            $0.request?.timeoutMilliseconds = 2_000
        }
        try server.receive(request)
        looks = [server.context.look(start + .milliseconds(1_990))]
        #expect(looks == [0])
        #expect(try server.release().isEmpty)
        let later = NIODeadline.now() + .milliseconds(2_010)
        looks = [server.context.look(later), server.context.look(later + .milliseconds(100))]
        #expect(looks == [1, 0])
        server.loop.run()
        #expect(
            try server.release().first?.callMeta().response?.errorCode == RPCError.Code.timedOut)
        try server.close()
    }

    /// The embedded loop has no ticks: what happens here happens because the packet came.
    @Test func `a cancel reaches the handler with its own packet`() throws {
        let events = Events()
        let server = try EmbeddedServer(events: events)
        try server.receive(
            try plainRequest("test.Service", "Hang", id: 7) {
                $0.envelopeExtension = .announcement
            })
        #expect(events.all == ["hang started"])
        let cancel = try plainRequest("rpc.Control", "Cancel", id: 8) {
            $0.envelopeExtension = EnvelopeExtension()
            $0.envelopeExtension?.cancelID = 7
            $0.envelopeExtension?.noReply = true
        }
        try server.receive(cancel)
        #expect(events.all == ["hang started", "hang cancelled"])
        #expect(server.context.callCount == 0)
        try server.close()
    }
}
