import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// The client's rules for a connection, without a socket.
@Suite struct ClientConnectionStateMachineTests {
    private typealias Machine = ClientConnectionStateMachine<String>

    private let deadline = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func response(
        _ id: Int64, code: Int32 = 0, stream: Int64? = nil, isExtended: Bool = false,
        needsFeedback: Bool = true
    ) -> RpcMeta {
        var meta = RpcMeta()
        meta.correlationID = id
        meta.response = RpcResponseMeta(errorCode: code, errorText: "")
        meta.streamSettings = stream.map {
            StreamSettings(streamID: $0, needFeedback: needsFeedback, writable: false)
        }
        if isExtended { meta.envelopeExtension = .announcement }
        return meta
    }

    private func opened(_ machine: inout Machine, isExtended: Bool = false) throws -> Int64 {
        let ticket = try machine.begin("stream", deadline: deadline, opensStream: true)
        guard
            case .opened = machine.receive(
                response(ticket.id, stream: 0, isExtended: isExtended))
        else { throw FrameError.truncated }
        return ticket.id
    }

    @Test func numbersBeginAtOneAndTheFirstIsMarked() throws {
        var machine = Machine()
        let first = try machine.begin("a", deadline: deadline, opensStream: false)
        let second = try machine.begin("b", deadline: deadline, opensStream: false)
        #expect(first == Machine.Ticket(id: 1, isFirst: true))
        #expect(second == Machine.Ticket(id: 2, isFirst: false))
    }

    @Test func `both ends judge alike whether messages are charged`() throws {
        for bits in 0..<64 as Range<UInt64> {
            let features = EnvelopeExtension.Features(rawValue: bits)
            var announcement = EnvelopeExtension.announcement
            announcement.features = features
            var server = ServerConnectionStateMachine(verifiesCredential: false)
            _ = server.receiveRequest(credential: nil, announcement: .init(announcement))
            var client = Machine()
            let ticket = try client.begin("stream", deadline: deadline, opensStream: true)
            var answer = response(ticket.id, stream: 0)
            answer.envelopeExtension = announcement
            guard case .opened(_, let terms) = client.receive(answer) else {
                throw FrameError.truncated
            }
            let isCharged = bits & 0b10_1000 == 0b10_1000
            #expect(server.chargesMessages == isCharged)
            #expect(terms.reporting.chargesMessages == isCharged)
        }
    }

    @Test func aCallEndsOnceAndLateAnswersAreDropped() throws {
        var machine = Machine()
        let id = try machine.begin("a", deadline: deadline, opensStream: false).id
        guard case .succeed("a") = machine.receive(response(id)) else {
            Issue.record("the call was not answered")
            return
        }
        guard case .late(nil) = machine.receive(response(id)) else {
            Issue.record("the second answer was taken")
            return
        }
        #expect(machine.callCount == 0)
    }

    @Test func aLateStreamIsReset() {
        var machine = Machine()
        guard case .late(4) = machine.receive(response(99, stream: 4)) else {
            Issue.record("the late stream's number is lost")
            return
        }
    }

    @Test func aStoppingServerIsAskedNothingMore() throws {
        var machine = Machine()
        let id = try machine.begin("a", deadline: deadline, opensStream: false).id
        _ = machine.receive(response(id, code: RPCError.Code.loggedOff))
        #expect(machine.isRetired)
        #expect(throws: RPCError.self) {
            try machine.begin("b", deadline: deadline, opensStream: false)
        }
    }

    @Test func callsThatWaitAreLimited() throws {
        var machine = Machine(maximumCalls: 1)
        _ = try machine.begin("a", deadline: deadline, opensStream: false)
        #expect(throws: RPCError.self) {
            try machine.begin("b", deadline: deadline, opensStream: false)
        }
    }

    @Test func aCancelIsSentToWhoeverMayKnowIt() throws {
        var machine = Machine()
        let id = try machine.begin("a", deadline: deadline, opensStream: false).id
        #expect(machine.giveUp(id)?.action == .control(id: 2, cancelID: 1))
        #expect(machine.giveUp(id) == nil)
        _ = machine.receive(response(50))
        let plain = try machine.begin("b", deadline: deadline, opensStream: false).id
        #expect(machine.giveUp(plain)?.action == .silent)
        let stream = try opened(&machine)
        #expect(
            machine.giveUp(stream)?.action
                == .reset(StreamFrameMeta(streamID: 0, frameType: .reset)))
    }

    @Test(arguments: [true, false])
    func aCloseWithoutStatusIsAnEndForPlainPeersAlone(isExtended: Bool) throws {
        var machine = Machine()
        let id = try opened(&machine, isExtended: isExtended)
        let close = StreamFrameMeta(streamID: id, sourceStreamID: 0, frameType: .close)
        guard
            case .ended("stream", let error, _, let reply) = machine.receive(close, payloadBytes: 0)
        else {
            Issue.record("the stream did not end")
            return
        }
        #expect(error?.failure.code == (isExtended ? .truncated : nil))
        #expect(
            reply == StreamFrameMeta(streamID: 0, sourceStreamID: id, frameType: .close))
    }

    @Test func aMessageThatGrowsTooLargeResetsItsStream() throws {
        var machine = Machine(maximumMessageBytes: 10)
        let id = try opened(&machine)
        var fragment = StreamFrameMeta(streamID: id, sourceStreamID: 0, frameType: .data)
        fragment.hasContinuation = true
        guard case .data("stream", isLast: false) = machine.receive(fragment, payloadBytes: 10)
        else {
            Issue.record("the first fragment was refused")
            return
        }
        guard case .ended(_, let error, _, let reply) = machine.receive(fragment, payloadBytes: 1)
        else {
            Issue.record("the second fragment was taken")
            return
        }
        #expect(error?.code == RPCError.Code.badResponse)
        #expect(reply == StreamFrameMeta(streamID: 0, frameType: .reset))
    }

    @Test(arguments: [true, false])
    func onlyAServerThatAskedForFeedbackGetsIt(needsFeedback: Bool) throws {
        var machine = Machine()
        let id = try machine.begin("stream", deadline: deadline, opensStream: true).id
        _ = machine.receive(response(id, stream: 0, needsFeedback: needsFeedback))
        #expect((machine.feedback(id, consumed: 5) != nil) == needsFeedback)
    }

    @Test func dataForAnUnknownStreamIsReset() {
        var machine = Machine()
        let data = StreamFrameMeta(streamID: 8, sourceStreamID: 3, frameType: .data)
        guard case .reply(let frame) = machine.receive(data, payloadBytes: 1) else {
            Issue.record("nothing was answered")
            return
        }
        #expect(frame == StreamFrameMeta(streamID: 3, frameType: .reset))
        let refusal = StreamFrameMeta(streamID: 8, sourceStreamID: -1, frameType: .data)
        guard case .ignore = machine.receive(refusal, payloadBytes: 1) else {
            Issue.record("a late refusal was answered")
            return
        }
    }

    @Test func passedDeadlinesAreFoundAndTheNextIsKnown() throws {
        var machine = Machine()
        let later = deadline + .seconds(1)
        _ = try machine.begin("late", deadline: later, opensStream: false)
        _ = try machine.begin("early", deadline: deadline, opensStream: false)
        #expect(machine.earliestDeadline == deadline)
        #expect(machine.expired(deadline) == ["early"])
        #expect(machine.earliestDeadline == later)
    }

    @Test func aLossFailsEveryCallAndCutsOpenStreams() throws {
        var machine = Machine()
        _ = try opened(&machine)
        _ = try machine.begin("call", deadline: deadline, opensStream: false)
        let ended = machine.close()
        #expect(ended.map(\.handle) == ["stream", "call"])
        #expect(ended.map(\.error.failure.code) == [.truncated, .unknownOutcome])
        #expect(machine.isRetired)
    }
}
