import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// The server's rules for a connection, without a socket.
@Suite struct ServerConnectionStateMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func admitted(
        _ machine: inout ServerConnectionStateMachine, _ correlationID: Int64 = 1,
        milliseconds: Int64 = 100, peerStreamID: Int64? = nil
    ) throws -> CallID {
        try machine.admit(
            correlationID: correlationID, deadline: start + .milliseconds(milliseconds),
            now: start, peerStreamID: peerStreamID)
    }

    @Test func theFirstCredentialDecidesForTheConnection() {
        var machine = ServerConnectionStateMachine(verifiesCredential: true)
        #expect(machine.receiveRequest(credential: [1], announcement: nil) == .verify([1]))
        #expect(machine.receiveRequest(credential: [2], announcement: nil) == .hold)
        #expect(machine.credentialChecked(isValid: true) == true)
        #expect(machine.receiveRequest(credential: [3], announcement: nil) == .admit)
        #expect(machine.credentialChecked(isValid: false) == false)
    }

    @Test func onlySoManyRequestsWaitForTheCredential() {
        var machine = ServerConnectionStateMachine(verifiesCredential: true)
        _ = machine.receiveRequest(credential: [1], announcement: nil)
        for _ in 1..<Limits.rpcRequestsAwaitingCredential {
            #expect(machine.receiveRequest(credential: nil, announcement: nil) == .hold)
        }
        let action = machine.receiveRequest(credential: nil, announcement: nil)
        #expect(action == .refuse(ServerConnectionStateMachine.overLimit))
    }

    @Test func nothingGoesOnAfterARefusal() {
        var machine = ServerConnectionStateMachine(verifiesCredential: true)
        _ = machine.receiveRequest(credential: [1], announcement: nil)
        #expect(machine.credentialChecked(isValid: false) == false)
        #expect(machine.isClosed)
        #expect(machine.receiveRequest(credential: [1], announcement: nil) == .ignore)
    }

    @Test func aConnectionThatClosedAdmitsNothingThatWaited() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: true)
        _ = machine.receiveRequest(credential: [1], announcement: nil)
        #expect(machine.receiveRequest(credential: nil, announcement: nil) == .hold)
        let isValid = machine.credentialChecked(isValid: true)
        #expect(isValid)
        let first = try admitted(&machine)
        // The first one's answer found the peer gone.
        let left = machine.close()
        #expect(left == [first])
        #expect(throws: ServerConnectionStateMachine.loggedOff) { try admitted(&machine, 2) }
        machine.finish(first)
        #expect(machine.callCount == 0)
    }

    @Test func extensionsAreAnnouncedOnceAndOnlyToThoseWhoDid() {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        _ = machine.receiveRequest(credential: nil, announcement: nil)
        #expect(machine.takeAnnouncement() == false)
        for _ in 0..<2 {
            _ = machine.receiveRequest(credential: nil, announcement: .announcement)
        }
        #expect(machine.peerKnowsExtension)
        #expect(machine.takeAnnouncement() == true)
        #expect(machine.takeAnnouncement() == false)
    }

    @Test func aCallIsAnsweredOnceAndKeepsItsPlaceUntilItsTaskEnds() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false, maximumCalls: 1)
        let id = try admitted(&machine)
        #expect(machine.answer(id) == true)
        #expect(machine.answer(id) == false)
        #expect(throws: ServerConnectionStateMachine.overLimit) { try admitted(&machine) }
        machine.finish(id)
        let next = try admitted(&machine)
        #expect(next != id)
        #expect(machine.answer(id) == false)
        #expect(machine.answer(next) == true)
    }

    @Test func deadlinesAreFoundOnceEach() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let early = try admitted(&machine, milliseconds: 10)
        let late = try admitted(&machine, milliseconds: 20)
        #expect(machine.expired(start + .milliseconds(9)) == [])
        #expect(machine.expired(start + .milliseconds(10)) == [early])
        #expect(machine.answer(early) == true)
        #expect(machine.expired(start + .milliseconds(15)) == [])
        #expect(machine.expired(start + .milliseconds(30)) == [late])
        #expect(throws: ServerConnectionStateMachine.timedOut) {
            try admitted(&machine, milliseconds: 0)
        }
    }

    @Test func aDrainingConnectionAdmitsNothingAndFinishesWhatRuns() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let id = try admitted(&machine)
        _ = machine.drain(graceMilliseconds: 0)
        #expect(throws: ServerConnectionStateMachine.loggedOff) { try admitted(&machine) }
        #expect(machine.answer(id) == true)
    }

    @Test func aCancelledCallGetsNoAnswer() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let id = try admitted(&machine, 7)
        #expect(machine.cancel(correlationID: 8) == nil)
        #expect(machine.cancel(correlationID: 7) == id)
        #expect(machine.cancel(correlationID: 7) == nil)
        #expect(machine.answer(id) == false)
    }

    @Test func framesReachOnlyOpenStreams() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let id = try admitted(&machine, peerStreamID: 5)
        var feedback = StreamFrameMeta(
            streamID: id.streamID, sourceStreamID: 5, frameType: .feedback)
        feedback.consumedSize = 9
        #expect(machine.receiveFrame(feedback) == .ignore)
        machine.streamOpened(id)
        #expect(machine.receiveFrame(feedback) == .feedback(id, consumed: 9))
        let close = StreamFrameMeta(
            streamID: id.streamID, sourceStreamID: 5, frameType: .close)
        let reply = StreamFrameMeta(
            streamID: 5, sourceStreamID: id.streamID, frameType: .close)
        #expect(machine.receiveFrame(close) == .cancel(id, reply: reply))
        #expect(machine.receiveFrame(close) == .ignore)
        machine.finish(id)
        let data = StreamFrameMeta(streamID: id.streamID, sourceStreamID: 5, frameType: .data)
        #expect(
            machine.receiveFrame(data)
                == .reply(StreamFrameMeta(streamID: 5, frameType: .reset)))
    }

    @Test func aLostConnectionNamesEveryCallThatHasATask() throws {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let answered = try admitted(&machine)
        let waiting = try admitted(&machine, 2)
        #expect(machine.answer(answered) == true)
        #expect(machine.close() == [answered, waiting])
        #expect(machine.close() == [])
        #expect(machine.answer(waiting) == false)
    }

    @Test(arguments: [.min, -1, 0x8000_0000, 1 << 62] as [Int64])
    func streamNumbersThatAreNotOursAreNobodys(streamID: Int64) {
        var machine = ServerConnectionStateMachine(verifiesCredential: false)
        let frame = StreamFrameMeta(streamID: streamID, frameType: .reset)
        #expect(machine.receiveFrame(frame) == .ignore)
    }

    @Test func aStreamNumberNamesItsPlaceAndUse() {
        for id in [
            CallID(index: 0, generation: 0), CallID(index: .max, generation: .max),
            CallID(index: 3, generation: 9),
        ] {
            #expect(CallID(streamID: id.streamID) == id)
        }
    }
}
