import NIOCore
import NIOHTTP1
import TollgateKernel
import TollgateWire

/// One call as HTTP brought it: turned into a packet, and its answer's packets into JSON.
///
/// A call over HTTP is a packet like any other from here on: the same admission, deadlines,
/// interceptors, windows and meters, because it is the same code.
struct HTTPCall {
    /// What a packet of the answer means for the response.
    enum Step: Equatable {
        /// Nothing.
        case none
        /// The response is this message.
        case message([UInt8])
        /// The response is this failure.
        case failure(HTTPFailure)
        /// A stream of events begins.
        case begin
        /// One message of it; the server wants to hear that so many bytes are consumed then.
        case event([UInt8])
        /// The stream has ended; nil is well.
        case end(HTTPFailure?)
    }

    let method: MethodDescriptor
    let id: Int64
    private let timeoutMilliseconds: Int32?
    private let userFields: [String: String]
    private let priority: CallPriority
    private var serverStreamID: Int64?
    /// What came of a message so far.
    private(set) var part: [UInt8] = []
    private var consumed: Int64 = 0
    private var reported: Int64 = 0

    /// Reads what the headers say about a call.
    init(_ head: HTTPRequestHead, _ method: MethodDescriptor, id: Int64) throws(HTTPRefusal) {
        guard !method.streaming.takesStream else {
            throw HTTPRefusal(
                HTTPFailure(
                    status: 501, code: .invalidRequest,
                    "\(method.fullName) takes a stream of requests; HTTP/1.1 brings one."))
        }
        self.method = method
        self.id = id
        let priorities: [String: CallPriority] = [
            "background": .background, "normal": .normal, "critical": .critical,
        ]
        priority = head.headers[Self.priorityHeader].first.flatMap { priorities[$0] } ?? .normal
        if let text = head.headers[Self.timeoutHeader].first {
            guard let timeout = Int32(text), timeout > 0 else {
                throw HTTPRefusal(
                    HTTPFailure(
                        status: 400, code: .invalidRequest,
                        "\(Self.timeoutHeader) is a whole number of milliseconds above 0."))
            }
            timeoutMilliseconds = timeout
        } else {
            timeoutMilliseconds = nil
        }
        var fields: [String: String] = [:]
        if let session = head.headers[Self.sessionHeader].first {
            fields["authorization"] = session
        }
        for name in ["traceparent", "tracestate"] {
            if let value = head.headers[name].first { fields[name] = value }
        }
        userFields = fields
    }

    /// The person's login session or API key; the connection's credential has `Authorization`.
    static let sessionHeader = "Tollgate-Authorization"

    /// How much the call matters: background, normal or critical.
    static let priorityHeader = "Tollgate-Priority"

    /// How long the caller waits, in milliseconds.
    static let timeoutHeader = "Tollgate-Timeout-Ms"

    /// The request's packet.
    /// - Throws: ``HTTPRefusal`` if the server's end would close the connection over it.
    func packet(_ payload: [UInt8], maximumBodyBytes: Int) throws -> ByteBuffer {
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(
            serviceName: method.service, methodName: method.name,
            timeoutMilliseconds: timeoutMilliseconds)
        meta.correlationID = id
        meta.userFields = userFields
        // So that a stream's end brings its status; none of the features is ours.
        var ours = EnvelopeExtension()
        ours.version = EnvelopeExtension.currentVersion
        if priority != .normal { ours.priority = priority.rawValue }
        meta.envelopeExtension = ours
        if method.streaming != .unary {
            meta.streamSettings = StreamSettings(streamID: id, needFeedback: false, writable: true)
        }
        var packet = ByteBuffer()
        let metaBytes = try payload.withUnsafeBytes {
            try packet.writeCallHead(meta, payload: $0, attachmentBytes: 0)
        }
        guard metaBytes <= Limits.rpcMetaBytes else { throw HTTPRefusal(.headersTooLarge) }
        guard metaBytes + payload.count <= maximumBodyBytes else {
            throw HTTPRefusal(.tooLarge(maximumBodyBytes))
        }
        return packet
    }

    /// Takes in a packet that the server's end of the connection wrote.
    mutating func receive(_ frame: Frame) throws -> Step {
        switch frame.kind {
        case .call: try receiveAnswer(frame, source: nil)
        case .stream: try receiveStream(frame)
        }
    }

    private mutating func receiveAnswer(_ frame: Frame, source: Int64?) throws -> Step {
        let meta = try frame.withMeta { (bytes) throws(WireError) in try RpcMeta.decode(bytes) }
        guard meta.correlationID == id else { return .none }
        if let code = meta.response?.errorCode, code != 0 {
            return .failure(
                HTTPFailure(
                    RPCError(
                        code: code, text: meta.response?.errorText ?? "",
                        userFields: meta.userFields)))
        }
        guard let source else {
            // JSON has no place for what goes beside the message.
            let body = frame.body
            let bytes = max(0, frame.bodySize - max(0, Int(meta.attachmentSize)))
            return .message(body.getBytes(at: body.readerIndex, length: bytes) ?? [])
        }
        serverStreamID = source
        return .begin
    }

    private mutating func receiveStream(_ frame: Frame) throws -> Step {
        let meta = try frame.withMeta { (bytes) throws(WireError) in
            try StreamFrameMeta.decode(bytes)
        }
        guard meta.streamID == id else { return .none }
        switch meta.frameType {
        case .data where serverStreamID == nil:
            var body = frame.body
            var decoder = FrameDecoder()
            guard let inner = try decoder.decode(buffer: &body) else { return .none }
            return try receiveAnswer(inner, source: meta.sourceStreamID)
        case .data:
            part += Array(buffer: frame.body)
            consumed += Int64(frame.bodySize)
            guard meta.hasContinuation != true else { return .none }
            defer { part = [] }
            return .event(part)
        case .close:
            let status = meta.envelopeExtension
            guard let code = status?.errorCode, code != 0 else { return .end(nil) }
            return .end(
                HTTPFailure(
                    RPCError(
                        code: code, text: status?.errorText ?? "",
                        userFields: status?.trailers ?? [:])))
        case .reset:
            return .end(
                HTTPFailure(
                    status: 502, code: .truncated, "The stream was cut off before its end."))
        case .feedback, nil: return .none
        }
    }

    /// What tells the server how much the client has taken; nil if it knows.
    mutating func feedback() throws -> ByteBuffer? {
        guard let serverStreamID, consumed > reported else { return nil }
        reported = consumed
        var meta = StreamFrameMeta(
            streamID: serverStreamID, sourceStreamID: id, frameType: .feedback)
        meta.consumedSize = consumed
        var packet = ByteBuffer()
        try packet.writeStream(meta)
        return packet
    }
}

/// A failure on its way to the response.
struct HTTPRefusal: Error {
    let failure: HTTPFailure

    init(_ failure: HTTPFailure) { self.failure = failure }
}

/// Server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
enum ServerSentEvent {
    /// One message of a stream; JSON has no line breaks of its own.
    static func message(_ json: String) -> String { "data: \(json)\n\n" }

    /// The last event of a stream.
    static func end(_ failure: HTTPFailure?) -> String {
        guard let failure else { return "event: done\ndata: {}\n\n" }
        return "event: error\ndata: \(failure.json)\n\n"
    }
}
