import NIOCore
import TollgateKernel
import TollgateWire

/// What a client's end of a connection knows, without a socket, a clock or a task.
///
/// A call's correlation id is its stream's id too: both are ours to choose, from 1. `Handle` is
/// whatever the owner wants back about a call.
struct ClientConnectionStateMachine<Handle> {
    private struct Call {
        let handle: Handle
        let deadline: NIODeadline
        let opensStream: Bool
        /// The server's end, once its response named it.
        var serverStreamID: Int64?
        /// The server limits its writing and waits for our FEEDBACK; bRPC dies of one that it did
        /// not ask for (rpc-wire, 1.8).
        var serverWantsFeedback = false
        /// What the server may send us.
        var incoming: ReceiveWindow
    }

    /// What is known of the server's extensions.
    private enum Peer: Equatable {
        case unknown
        case plain
        case extended(EnvelopeExtension.Features)

        var features: EnvelopeExtension.Features {
            if case .extended(let features) = self { features } else { [] }
        }
    }

    private var calls: [Int64: Call] = [:]
    private var lastID: Int64 = 0
    /// The first request, with the credential, has been given out.
    private var isIntroduced = false
    private var peer = Peer.unknown
    private let maximumCalls: Int
    private let maximumMessageBytes: Int

    /// No call's deadline is earlier; may be too early itself.
    private(set) var earliestDeadline = NIODeadline.distantFuture

    /// No new call can begin: the connection is lost, or the server said that it is stopping.
    private(set) var isRetired = false

    init(
        maximumCalls: Int = Limits.rpcPendingCallsPerConnection,
        maximumMessageBytes: Int = Limits.rpcBodyBytes
    ) {
        self.maximumCalls = maximumCalls
        self.maximumMessageBytes = maximumMessageBytes
    }

    /// Calls without their end.
    var callCount: Int { calls.count }

    // MARK: Beginning

    /// A call that may be written.
    struct Ticket: Equatable {
        let id: Int64
        /// The connection's first request carries the credential and announces our extensions.
        let isFirst: Bool
    }

    mutating func begin(
        _ handle: Handle, deadline: NIODeadline, opensStream: Bool, windowBytes: Int64? = nil
    ) throws(RPCError) -> Ticket {
        guard !isRetired else { throw Self.lost(isNotProcessed: true) }
        guard calls.count < maximumCalls else {
            throw RPCError(
                code: RPCError.Code.overcrowded, text: "Too many calls wait on this connection",
                isNotProcessed: true)
        }
        let ticket = takeTicket()
        calls[ticket.id] = Call(
            handle: handle, deadline: deadline, opensStream: opensStream,
            incoming: ReceiveWindow(
                sizeBytes: windowBytes ?? Limits.rpcStreamWindowBytes,
                maximumMessageBytes: maximumMessageBytes))
        earliestDeadline = min(earliestDeadline, deadline)
        return ticket
    }

    /// Begins a call that nobody waits for; it does not stand among the calls.
    mutating func beginOneWay() throws(RPCError) -> Ticket {
        guard !isRetired else { throw Self.lost(isNotProcessed: true) }
        return takeTicket()
    }

    private mutating func takeTicket() -> Ticket {
        let isFirst = !isIntroduced
        isIntroduced = true
        lastID += 1
        return Ticket(id: lastID, isFirst: isFirst)
    }

    /// Takes back a call that could not be written: the server never learns of it, and the next one
    /// is the first if this one was.
    mutating func takeBack(_ ticket: Ticket) {
        calls[ticket.id] = nil
        if ticket.isFirst { isIntroduced = false }
    }

    // MARK: Responses

    /// What to do about a response.
    enum ResponseAction {
        /// The call has its response.
        case succeed(Handle)
        /// The call failed.
        case fail(Handle, RPCError)
        /// The stream is open, on these terms.
        case opened(Handle, StreamTerms)
        /// Nobody waits for it; its stream, if any, is to be reset.
        case late(reset: Int64?)
    }

    /// What was agreed on for a stream.
    struct StreamTerms: Equatable {
        /// What the server keeps of unread messages, if it says so (E5).
        var windowBytes: Int64?
        /// When it is told how far the reader is, and what counts in both directions.
        var reporting: StreamSource.Reporting
    }

    /// Takes in a response, bare or wrapped in a stream frame.
    mutating func receive(_ response: RpcMeta) -> ResponseAction {
        if peer == .unknown {
            let ours = response.envelopeExtension
            peer = ours?.version == nil ? .plain : .extended(ours?.features ?? [])
        }
        let id = response.correlationID
        guard var call = calls[id], call.serverStreamID == nil else {
            return .late(reset: response.streamSettings?.streamID)
        }
        if let error = Self.error(of: response) {
            if error.code == RPCError.Code.loggedOff { isRetired = true }
            calls[id] = nil
            return .fail(call.handle, error)
        }
        guard call.opensStream else {
            calls[id] = nil
            return .succeed(call.handle)
        }
        guard let settings = response.streamSettings else {
            calls[id] = nil
            return .fail(
                call.handle,
                RPCError(
                    code: RPCError.Code.badResponse, text: "The server didn't accept the stream"))
        }
        if let window = settings.initialWindowBytes, window <= 0 {
            calls[id] = nil
            return .fail(
                call.handle,
                RPCError(code: RPCError.Code.badResponse, text: "The server takes no messages"))
        }
        call.serverStreamID = settings.streamID
        call.serverWantsFeedback = settings.needFeedback
        let reporting = reporting(to: settings, call.incoming.sizeBytes)
        if !peer.features.contains(.receiverWindow) { call.incoming.widen() }
        call.incoming.chargesMessages = reporting.chargesMessages
        calls[id] = call
        return .opened(
            call.handle,
            StreamTerms(windowBytes: settings.initialWindowBytes, reporting: reporting))
    }

    /// Our own servers are told once a quarter of the window was read, which is never more than
    /// they would have by themselves; a plain one, whose window may be small, also whenever the
    /// reader has caught up.
    private func reporting(
        to settings: StreamSettings, _ windowBytes: Int64
    ) -> StreamSource.Reporting {
        if peer.features.contains(.receiverWindow) {
            return StreamSource.Reporting(
                everyBytes: min(windowBytes, Limits.rpcStreamWindowBytes) / 4,
                chargesMessages: peer.features.chargesMessages)
        }
        return StreamSource.Reporting(
            everyBytes: Int64(Limits.rpcFragmentBytes), whenCaughtUp: settings.needFeedback)
    }

    private static func error(of response: RpcMeta) -> RPCError? {
        guard let outcome = response.response, outcome.errorCode != 0 else { return nil }
        let neverBegan = [RPCError.Code.loggedOff, RPCError.Code.limit].contains(outcome.errorCode)
        return RPCError(
            code: outcome.errorCode, text: outcome.errorText, userFields: response.userFields,
            isNotProcessed: neverBegan || response.envelopeExtension?.notProcessed == true,
            retryAfterMilliseconds: response.envelopeExtension?.retryAfterMilliseconds)
    }

    // MARK: Stream frames

    /// What to do about a stream frame.
    enum FrameAction {
        /// Its payload is a whole response packet.
        case response
        /// Its payload is a message, or the next part of one.
        case data(Handle, isLast: Bool)
        /// Let the call's writer know how far the server's reader is.
        case feedback(Handle, consumed: Int64)
        /// The stream ended, well if there is no error; send the reply if there is one.
        case ended(Handle, RPCError?, trailers: [String: String], reply: StreamFrameMeta?)
        /// Send this.
        case reply(StreamFrameMeta)
        /// Nothing.
        case ignore
    }

    mutating func receive(_ frame: StreamFrameMeta, payloadBytes: Int) -> FrameAction {
        let id = frame.streamID
        guard var call = calls[id], call.opensStream else {
            guard frame.frameType == .data, let source = frame.sourceStreamID,
                source != StreamFrameMeta.noStream
            else { return .ignore }
            return .reply(StreamFrameMeta(streamID: source, frameType: .reset))
        }
        guard let server = call.serverStreamID else {
            if frame.frameType == .data { return .response }
            guard frame.frameType == .reset || frame.frameType == .close else { return .ignore }
            calls[id] = nil
            return .ended(call.handle, Self.truncated, trailers: [:], reply: nil)
        }
        switch frame.frameType {
        case .data:
            let verdict = call.incoming.receive(
                payloadBytes, hasContinuation: frame.hasContinuation)
            guard verdict == .part || verdict == .whole else {
                calls[id] = nil
                return .ended(
                    call.handle, verdict == .overrun ? Self.overrun : Self.tooLarge, trailers: [:],
                    reply: StreamFrameMeta(streamID: server, frameType: .reset))
            }
            calls[id] = call
            return .data(call.handle, isLast: verdict == .whole)
        case .close:
            calls[id] = nil
            let isInside = call.incoming.partialBytes > 0
            return .ended(
                call.handle, closeError(frame, isInsideMessage: isInside),
                trailers: frame.envelopeExtension?.trailers ?? [:],
                reply: StreamFrameMeta(
                    streamID: server, sourceStreamID: id, frameType: .close))
        case .reset:
            calls[id] = nil
            return .ended(call.handle, Self.truncated, trailers: [:], reply: nil)
        case .feedback:
            return frame.consumedSize.map { .feedback(call.handle, consumed: $0) } ?? .ignore
        case nil:
            return .ignore
        }
    }

    /// What a CLOSE says.
    ///
    /// Plain peers send no status: their last message tells whether the answer is whole, and that
    /// is the application's to judge.
    private func closeError(_ frame: StreamFrameMeta, isInsideMessage: Bool) -> RPCError? {
        guard let ours = frame.envelopeExtension, let code = ours.errorCode else {
            return peer.features.contains(.closeStatus) || isInsideMessage ? Self.truncated : nil
        }
        if code == 0 { return isInsideMessage ? Self.truncated : nil }
        return RPCError(
            code: code, text: ours.errorText ?? "", userFields: ours.trailers,
            retryAfterMilliseconds: ours.retryAfterMilliseconds)
    }

    /// The FEEDBACK that tells the server how far a stream's reader is; nil once it ended, and if
    /// the server wants none.
    mutating func feedback(
        _ id: Int64, consumed: Int64, messages: Int = 0
    ) -> StreamFrameMeta? {
        guard var call = calls[id] else { return nil }
        call.incoming.consume(upTo: consumed, messages: messages)
        calls[id] = call
        guard call.serverWantsFeedback, let server = call.serverStreamID else { return nil }
        var frame = StreamFrameMeta(streamID: server, sourceStreamID: id, frameType: .feedback)
        frame.consumedSize = consumed
        return frame
    }

    /// The number of the server's end of a stream, if it is open.
    func serverStream(of id: Int64) -> Int64? { calls[id]?.serverStreamID }

    /// The frame that says that nothing more comes from us (E4); nil if the server would not
    /// understand.
    func finish(_ id: Int64) -> StreamFrameMeta? {
        guard peer.features.contains(.halfClose), let server = serverStream(of: id) else {
            return nil
        }
        var frame = StreamFrameMeta(streamID: server, sourceStreamID: id, frameType: .data)
        frame.envelopeExtension = EnvelopeExtension()
        frame.envelopeExtension?.endOfStream = true
        return frame
    }

    // MARK: The connection itself (E6)

    /// What to do about a frame that belongs to no call.
    enum ControlAction {
        /// Nothing.
        case ignore
        /// Send this.
        case reply(RpcMeta)
        /// Begin nothing new here; these calls will certainly not be worked on.
        case retire(refused: [Handle])
    }

    mutating func receiveControl(_ ours: EnvelopeExtension) -> ControlAction {
        switch ours.control {
        case .ping: return .reply(Self.control(.pong))
        case .pong, nil: return .ignore
        case .goAway:
            guard !isRetired else { return .ignore }
            isRetired = true
            let last = ours.lastAccepted ?? .max
            let refused = calls.filter { $0.key > last }.sorted { $0.key < $1.key }
            for (id, _) in refused { calls[id] = nil }
            return .retire(refused: refused.map(\.value.handle))
        }
    }

    /// What makes a living server say something: a ping, and for a plain one a call, because any
    /// answer to it proves life; nil before anything can be sent.
    mutating func ping() -> RpcMeta? {
        guard isIntroduced else { return nil }
        if peer.features.contains(.control) { return Self.control(.ping) }
        lastID += 1
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(serviceName: "rpc.Control", methodName: "Ping")
        meta.correlationID = lastID
        return meta
    }

    private static func control(_ control: EnvelopeExtension.Control) -> RpcMeta {
        var meta = RpcMeta()
        meta.response = RpcResponseMeta()
        meta.envelopeExtension = EnvelopeExtension()
        meta.envelopeExtension?.control = control
        return meta
    }

    // MARK: Giving up

    /// How the server is told that a call is given up.
    enum CancelAction: Equatable {
        /// Send the cancel control call under this id.
        case control(id: Int64, cancelID: Int64)
        /// Send RST.
        case reset(StreamFrameMeta)
        /// It cannot be told.
        case silent
    }

    /// Forgets a call; nil if it has ended.
    mutating func giveUp(_ id: Int64) -> (handle: Handle, action: CancelAction)? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        if let server = call.serverStreamID {
            return (call.handle, .reset(StreamFrameMeta(streamID: server, frameType: .reset)))
        }
        // Before the first answer the peer may know it; a plain one answers 1002, which is dropped.
        guard peer != .plain else { return (call.handle, .silent) }
        lastID += 1
        return (call.handle, .control(id: lastID, cancelID: id))
    }

    /// The calls whose deadline has passed; the owner gives them up.
    mutating func expired(_ now: NIODeadline) -> [Handle] {
        earliestDeadline =
            calls.values.lazy.map(\.deadline).filter { $0 > now }.min()
            ?? .distantFuture
        return calls.values.filter { $0.deadline <= now }.map(\.handle)
    }

    /// The connection is lost: every call fails, and a stream that was open is cut.
    mutating func close() -> [(handle: Handle, error: RPCError)] {
        isRetired = true
        defer { calls = [:] }
        return calls.sorted { $0.key < $1.key }.map { _, call in
            (
                call.handle,
                call.serverStreamID == nil ? Self.lost(isNotProcessed: false) : Self.truncated
            )
        }
    }

    /// The connection cannot carry the call.
    static func lost(isNotProcessed: Bool) -> RPCError {
        RPCError(
            code: RPCError.Code.connectionFailed,
            text: "The connection to the server was lost", isNotProcessed: isNotProcessed)
    }

    static var truncated: RPCError {
        RPCError(Failure(.truncated, "The answer was cut off before its end."))
    }

    static var tooLarge: RPCError {
        RPCError(code: RPCError.Code.badResponse, text: "A message of the stream is too large")
    }

    static var overrun: RPCError {
        RPCError(
            code: RPCError.Code.badResponse, text: "The server sent more of a stream than agreed")
    }

    static var goneAway: RPCError {
        RPCError(
            code: RPCError.Code.loggedOff, text: "The server is stopping", isNotProcessed: true)
    }

    static var noHalfClose: RPCError {
        RPCError(
            code: RPCError.Code.badResponse,
            text: "The server cannot be told that a stream of requests is at its end")
    }

    static var timedOut: RPCError {
        RPCError(
            code: RPCError.Code.timedOut, text: "The server did not answer before the deadline")
    }
}
