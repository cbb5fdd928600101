import NIOCore
import TollgateKernel
import TollgateWire

/// What a server's end of a connection knows, without a socket, a clock or a task.
///
/// Events go in, actions come out; ``ServerConnection`` carries them out. A call is in the table
/// from its admission until its task has ended, also when it was answered long before.
struct ServerConnectionStateMachine {
    private enum Phase {
        /// The first request brings the credential.
        case awaitingCredential
        /// The credential is being checked; requests wait.
        case verifying
        /// Requests are admitted.
        case admitting
        /// Nothing is read or written any more.
        case closed
    }

    private struct Call {
        let correlationID: Int64
        let deadline: NIODeadline
        /// The number of the client's end, if the request opened a stream.
        let peerStreamID: Int64?
        /// The peer knows our stream's number, so frames can carry it.
        var isStreamOpen = false
        /// The peer has its answer, or wants none any more.
        var isAnswered = false
        /// What the peer may send us, if the method takes a stream of requests and it goes on.
        var incoming: ReceiveWindow?
    }

    private var phase: Phase
    private var calls = SlotTable<Call>()
    private let maximumCalls: Int
    private var held = 0
    /// The next response must announce our extensions.
    private(set) var owesAnnouncement = false

    /// No unanswered call's deadline is earlier; may be too early itself.
    private(set) var earliestDeadline = NIODeadline.distantFuture

    /// New calls are refused because the server is stopping.
    private(set) var isDraining = false

    /// The peer knows our extensions (E0).
    private(set) var peerKnowsExtension = false

    /// What of them it can do.
    private(set) var peerFeatures: EnvelopeExtension.Features = []

    /// Whether each message of a stream counts beside its bytes (E5).
    var chargesMessages: Bool { peerFeatures.chargesMessages }

    /// The highest number of a call that was admitted (E6).
    private var lastAccepted: Int64 = 0

    init(
        verifiesCredential: Bool, maximumCalls: Int = Limits.rpcCallsInFlightPerConnection
    ) {
        phase = verifiesCredential ? .awaitingCredential : .admitting
        self.maximumCalls = maximumCalls
    }

    /// How many calls have a task.
    var callCount: Int { calls.count }

    /// Whether nothing is read or written any more.
    var isClosed: Bool { if case .closed = phase { true } else { false } }

    /// Whether the peer has not shown a good credential yet.
    var awaitsCredential: Bool {
        switch phase {
        case .awaitingCredential, .verifying: true
        case .admitting, .closed: false
        }
    }

    // MARK: Requests

    /// What to do with a request that arrived.
    enum RequestAction: Equatable {
        /// Go on with it.
        case admit
        /// Check this credential; the request waits, and so do later ones.
        case verify([UInt8])
        /// Keep it until the credential has been checked.
        case hold
        /// Answer with this error.
        case refuse(RPCError)
        /// Answer with this error, then close.
        case refuseAndClose(RPCError)
        /// The connection is closed.
        case ignore
    }

    mutating func receiveRequest(
        credential: [UInt8]?, announcement: EnvelopeExtension.Box?
    ) -> RequestAction {
        if let announcement, !peerKnowsExtension { receive(announcement.value) }
        switch phase {
        case .admitting: return .admit
        case .closed: return .ignore
        case .awaitingCredential:
            // An empty one is none: no secret that got lost may match it.
            guard let credential, !credential.isEmpty else {
                return .refuseAndClose(Self.unauthenticated)
            }
            phase = .verifying
            held = 1
            return .verify(credential)
        case .verifying:
            guard held < Limits.rpcRequestsAwaitingCredential else {
                return .refuse(Self.overLimit)
            }
            held += 1
            return .hold
        }
    }

    private mutating func receive(_ announcement: EnvelopeExtension) {
        guard let version = announcement.version, version >= 1 else { return }
        peerKnowsExtension = true
        peerFeatures = announcement.features ?? []
        owesAnnouncement = true
    }

    /// Takes in the verdict on the credential; true if the held requests may go on.
    mutating func credentialChecked(isValid: Bool) -> Bool {
        guard case .verifying = phase else { return false }
        held = 0
        phase = isValid ? .admitting : .closed
        return isValid
    }

    /// Gives a call its place, or says why it gets none.
    mutating func admit(
        correlationID: Int64, deadline: NIODeadline, now: NIODeadline, peerStreamID: Int64?,
        incoming: ReceiveWindow? = nil
    ) throws(RPCError) -> CallID {
        guard !isDraining, !isClosed else { throw Self.loggedOff }
        guard calls.count < maximumCalls else { throw Self.overLimit }
        guard deadline > now else { throw Self.timedOut }
        earliestDeadline = min(earliestDeadline, deadline)
        lastAccepted = max(lastAccepted, correlationID)
        return calls.insert(
            Call(
                correlationID: correlationID, deadline: deadline, peerStreamID: peerStreamID,
                incoming: incoming))
    }

    /// Whether a response must announce our extensions; true once.
    mutating func takeAnnouncement() -> Bool {
        defer { owesAnnouncement = false }
        return owesAnnouncement
    }

    // MARK: Ends of calls

    /// Claims the right to answer a call; true once, and never after it was given up.
    mutating func answer(_ id: CallID) -> Bool {
        guard !isClosed else { return false }
        return calls.change(id) { call in
            defer { call.isAnswered = true }
            return !call.isAnswered
        }
    }

    /// Gives the right back that ``answer(_:)`` gave: the answer could not be written.
    mutating func answerFailed(_ id: CallID) { calls[id]?.isAnswered = false }

    /// The response that was to announce our extensions could not be written.
    mutating func announcementFailed() { owesAnnouncement = true }

    /// Whether a call still waits for its answer.
    func isUnanswered(_ id: CallID) -> Bool {
        guard !isClosed, let call = calls[id] else { return false }
        return !call.isAnswered
    }

    /// Forgets a call whose task has ended.
    mutating func finish(_ id: CallID) { calls.remove(id) }

    /// Gives up the call that the peer named; nil if it runs no more.
    ///
    /// Looked for among all: with 1,024 calls that takes 1.2 to 1.8 µs, less than half of what one
    /// call costs, while a table of their numbers would cost every call its part of it.
    mutating func cancel(correlationID: Int64) -> CallID? {
        let ids = calls.ids { $0.correlationID == correlationID && !$0.isAnswered }
        guard let id = ids.first else { return nil }
        calls[id]?.isAnswered = true
        return id
    }

    /// The calls whose deadline has passed and that have no answer yet.
    mutating func expired(_ now: NIODeadline) -> [CallID] {
        guard earliestDeadline <= now else { return [] }
        earliestDeadline = .distantFuture
        return calls.ids { call in
            guard !call.isAnswered else { return false }
            if call.deadline <= now { return true }
            earliestDeadline = min(earliestDeadline, call.deadline)
            return false
        }
    }

    /// Calls that have no answer yet.
    var unanswered: [CallID] { calls.ids { !$0.isAnswered } }

    /// Refuses new calls from now on; what to tell a peer that understands it (E6), others are told
    /// by the refusals.
    mutating func drain(graceMilliseconds: Int64) -> EnvelopeExtension? {
        defer { isDraining = true }
        guard !isDraining, !isClosed, peerFeatures.contains(.control) else { return nil }
        var goAway = EnvelopeExtension()
        goAway.control = .goAway
        goAway.lastAccepted = lastAccepted
        goAway.graceMilliseconds = Int32(clamping: graceMilliseconds)
        return goAway
    }

    /// What to answer to a frame that belongs to no call; a peer that has not announced itself is
    /// not answered.
    func receiveControl(_ control: EnvelopeExtension.Control) -> EnvelopeExtension? {
        guard control == .ping, !isClosed, peerFeatures.contains(.control) else { return nil }
        var pong = EnvelopeExtension()
        pong.control = .pong
        return pong
    }

    /// Whether the peer answers pings.
    var canProbe: Bool { !isClosed && peerFeatures.contains(.control) }

    /// The connection is gone; all calls that run are to be cancelled.
    mutating func close() -> [CallID] {
        guard !isClosed else { return [] }
        phase = .closed
        return calls.ids { _ in true }
    }

    // MARK: Streams

    /// The numbers of a call's two stream ends, if it has them: ours and the peer's.
    func streamEnds(_ id: CallID) -> (own: Int64, peer: Int64, isOpen: Bool)? {
        guard let call = calls[id], let peer = call.peerStreamID else { return nil }
        return (id.streamID, peer, call.isStreamOpen)
    }

    /// The response with our stream's number has been queued.
    mutating func streamOpened(_ id: CallID) { calls[id]?.isStreamOpen = true }

    /// What to do about a stream frame that arrived.
    enum FrameAction: Equatable {
        /// Nothing.
        case ignore
        /// Let the call's writer know how far the reader is.
        case feedback(CallID, consumed: Int64)
        /// Cancel the call's task, after sending what is given.
        case cancel(CallID, reply: StreamFrameMeta?)
        /// Send this.
        case reply(StreamFrameMeta)
        /// Keep the payload for the call's reader: a message or a part of one, perhaps the last.
        case data(CallID, isWhole: Bool, endsRequests: Bool)
        /// Let the call's reader know that nothing more comes.
        case requestsEnded(CallID)
    }

    mutating func receiveFrame(
        _ frame: StreamFrameMeta, payloadBytes: Int = 0
    ) -> FrameAction {
        guard !isClosed else { return .ignore }
        guard let id = CallID(streamID: frame.streamID), let call = calls[id],
            call.isStreamOpen, !call.isAnswered, let peer = call.peerStreamID
        else { return Self.reply(toUnknown: frame) }
        switch frame.frameType {
        case .feedback:
            return frame.consumedSize.map { .feedback(id, consumed: $0) } ?? .ignore
        case .reset:
            calls[id]?.isAnswered = true
            return .cancel(id, reply: nil)
        case .close:
            // A client's CLOSE ends both directions, so it is a cancel; every CLOSE is answered
            // with one.
            calls[id]?.isAnswered = true
            return .cancel(
                id,
                reply: StreamFrameMeta(
                    streamID: peer, sourceStreamID: id.streamID, frameType: .close))
        case .data:
            if let action = receiveData(frame, payloadBytes, id) { return action }
            calls[id]?.isAnswered = true
            return .cancel(id, reply: StreamFrameMeta(streamID: peer, frameType: .reset))
        case nil:
            return .ignore
        }
    }

    /// Takes in a part of the requests; nil if the stream must be reset for it: it does not read,
    /// or not any more, or the peer did not keep the window.
    private mutating func receiveData(
        _ frame: StreamFrameMeta, _ payloadBytes: Int, _ id: CallID
    ) -> FrameAction? {
        guard var incoming = calls[id]?.incoming else { return nil }
        let ends = frame.envelopeExtension?.endOfStream == true
        if ends, frame.hasContinuation { return nil }
        if ends, payloadBytes == 0, incoming.partialBytes == 0 {
            calls[id]?.incoming = nil
            return .requestsEnded(id)
        }
        let verdict = incoming.receive(payloadBytes, hasContinuation: frame.hasContinuation)
        guard verdict == .part || verdict == .whole else { return nil }
        calls[id]?.incoming = ends ? nil : incoming
        return .data(id, isWhole: verdict == .whole, endsRequests: ends)
    }

    /// The FEEDBACK about how far a call's reader is; nil once nothing more is to come.
    mutating func consumed(_ id: CallID, upTo total: Int64, messages: Int) -> StreamFrameMeta? {
        guard !isClosed, let call = calls[id], call.incoming != nil, !call.isAnswered,
            let peer = call.peerStreamID
        else { return nil }
        calls[id]?.incoming?.consume(upTo: total, messages: messages)
        var frame = StreamFrameMeta(
            streamID: peer, sourceStreamID: id.streamID, frameType: .feedback)
        frame.consumedSize = total
        return frame
    }

    /// A frame for a stream that ended: only DATA is worth a RST, the rest would never settle.
    private static func reply(toUnknown frame: StreamFrameMeta) -> FrameAction {
        guard frame.frameType == .data, let source = frame.sourceStreamID else { return .ignore }
        return .reply(StreamFrameMeta(streamID: source, frameType: .reset))
    }
}

extension ServerConnectionStateMachine {
    static let unauthenticated = RPCError(
        code: RPCError.Code.unauthenticated, text: "Fail to authenticate")
    static let overLimit = RPCError(
        code: RPCError.Code.limit, text: "Too many calls run on this connection",
        isNotProcessed: true)
    static let overcrowded = RPCError(
        code: RPCError.Code.overcrowded,
        text: "Too many answers wait unread on this connection",
        userFields: [RPCError.Field.retryAfter: String(Limits.rpcRetryAfterMilliseconds)],
        isNotProcessed: true)
    static let loggedOff = RPCError(
        code: RPCError.Code.loggedOff, text: "The server is stopping", isNotProcessed: true)
    static let timedOut = RPCError(
        code: RPCError.Code.timedOut, text: "The deadline passed before the call was done")
}
