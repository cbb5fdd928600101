import NIOCore
import TollgateKernel
import TollgateWire

/// A request as it was read from its packet; what is wrong with it is told when it is admitted.
struct IncomingRequest {
    /// What the request is for.
    enum Target {
        /// A hosted method.
        case method(Route)
        /// Cancelling the call with this correlation id (E2).
        case cancel(correlationID: Int64, wantsReply: Bool)
        /// A message of the connection itself (E6).
        case control(EnvelopeExtension.Control)
        /// Nothing that can be answered but with an error.
        indirect case invalid(RPCError)
    }

    let target: Target
    let correlationID: Int64
    let arrival: NIODeadline
    let timeoutMilliseconds: Int32?
    let streamSettings: StreamSettings?
    let credential: [UInt8]?
    let fields: RequestFields
    /// What our own clients add; few requests have any.
    let boxedExtension: EnvelopeExtension.Box?
    let payload: IncomingPayload
    let attachment: ByteBuffer
    /// What the request keeps in memory: its metadata too.
    let packetBytes: Int
    /// What it keeps beside that, together with what else was read with it.
    let pinnedBytes: Int

    /// Reads a request and hands it to `body`.
    ///
    /// Functions, because an initialiser owns what it is given and copies what it makes in parts:
    /// each copy counts the dozen references in here once more. So all is gathered first, and the
    /// whole is made at once. It is handed over where it was read, since to bring it out of there
    /// moved its hundreds of bytes five times.
    /// - Throws: ``WireError`` if the meta does not parse: the connection is to be closed.
    static func read(
        _ frame: Frame, arrival: NIODeadline, router: Router, _ body: (IncomingRequest) -> Void
    ) throws(WireError) {
        try frame.withMeta { (bytes) throws(WireError) in
            try RpcMetaView.with(bytes) { (view) throws(WireError) in
                body(try read(view, frame, arrival: arrival, router: router))
            }
        }
    }

    private static func read(
        _ view: RpcMetaView, _ frame: Frame, arrival: NIODeadline, router: Router
    ) throws(WireError) -> IncomingRequest {
        let envelopeExtension = try view.envelopeExtension()
        let fields = try view.requestFields()
        let attachmentSize = Int(view.attachmentSize)
        let payloadSize = frame.bodySize - attachmentSize
        let start = frame.packet.readerIndex + frame.metaSize
        let payload = frame.packet.getSlice(at: start, length: max(0, payloadSize))
        let attachment =
            attachmentSize > 0 && payloadSize >= 0
            ? frame.packet.getSlice(at: start + payloadSize, length: attachmentSize) : nil
        return IncomingRequest(
            target: target(view, payloadSize, envelopeExtension, router: router),
            correlationID: view.correlationID, arrival: arrival,
            timeoutMilliseconds: view.timeoutMilliseconds, streamSettings: view.streamSettings,
            credential: view.authenticationData, fields: fields,
            boxedExtension: envelopeExtension,
            payload: IncomingPayload(view, bytes: payload ?? ByteBuffer()),
            attachment: attachment ?? ByteBuffer(), packetBytes: frame.packet.readableBytes,
            pinnedBytes: frame.pinnedBytes)
    }

    /// The same, taken out of its box.
    var envelopeExtension: EnvelopeExtension? { boxedExtension?.value }

    /// How much the call matters to its caller.
    var priority: CallPriority { CallPriority(wire: boxedExtension?.value.priority) }

    /// Whether the caller waits for an answer; a stream always does.
    var wantsReply: Bool { boxedExtension?.value.noReply != true || streamSettings != nil }

    private static func target(
        _ view: RpcMetaView, _ payloadSize: Int, _ ours: EnvelopeExtension.Box?, router: Router
    ) -> Target {
        if payloadSize < 0 { return .invalid(badRequest("the attachment is longer than the body")) }
        if view.contentType != 0 { return .invalid(badRequest("the payload must be protobuf")) }
        if view.isChunk { return .invalid(badRequest("chunks are not supported")) }
        do throws(RPCError) {
            return .method(try router.find(service: view.serviceName, method: view.methodName))
        } catch {
            // Asked last, so that these cost ordinary calls nothing.
            if let control = ours?.value.control, !view.isRequest, view.correlationID == 0 {
                return .control(control)
            }
            if let ours = ours?.value, let id = ours.cancelID,
                view.serviceName.elementsEqual("rpc.Control".utf8),
                view.methodName.elementsEqual("Cancel".utf8)
            {
                return .cancel(correlationID: id, wantsReply: ours.noReply != true)
            }
            return .invalid(error)
        }
    }

    static func badRequest(_ reason: String) -> RPCError {
        RPCError(
            code: RPCError.Code.badRequest, text: "Fail to read the request: \(reason)",
            isNotProcessed: true)
    }

    /// When the call must be answered: what the caller said, else the method's own, from the
    /// packet's arrival.
    ///
    /// A stream lasts no longer than the method's own deadline, whatever its caller says: what it
    /// keeps open (reserved credits, a provider's connection) is given up some time after that.
    func deadline(of method: MethodDescriptor) -> CallDeadline {
        let own = method.defaultDeadlineMilliseconds
        // Generated facts always name one; registrations by hand need not.
        let longest = own > 0 ? own : Limits.rpcStreamDeadlineMilliseconds
        guard let timeoutMilliseconds else {
            return CallDeadline(milliseconds: longest, from: arrival)
        }
        let asked = Int64(timeoutMilliseconds)
        return CallDeadline(
            milliseconds: method.streaming == .unary ? asked : min(asked, longest),
            from: arrival)
    }
}
