import NIOCore
import TollgateWire

/// A call whose task runs or whose last messages are still to be sent, as its connection sees it.
///
/// `@unchecked Sendable`: the variables are touched on the connection's event loop alone.
final class RunningCall: @unchecked Sendable {
    let id: CallID
    let route: Route
    let context: ServerCallContext
    let arrival: NIODeadline
    /// Whether the caller waits for an answer (E7).
    let wantsReply: Bool
    /// How the answer is to be coded; nil if plain.
    let packing: Packing?
    /// The bytes and the place in its method that the call takes.
    private var admission: CallAdmission?
    /// The stream's sending end, if the method streams.
    var sink: StreamSink?
    /// The stream's receiving end, if the method takes a stream of requests.
    var source: StreamSource?
    /// The request whose fragments are arriving.
    var partial = ByteBuffer()
    /// The stream stands among those that have something to send.
    var isReady = false
    /// An answer that is too long to be packed on the event loop.
    var longAnswer: ByteBuffer?
    /// The task; nil until it first suspends, and after its end.
    var task: Task<Void, Never>?
    /// How the handler ended, once it has; what it wrote may still have to be sent.
    var outcome: Outcome?

    /// How a handler ended.
    enum Outcome {
        case succeeded
        case failed(RPCError)

        var error: RPCError? { if case .failed(let error) = self { error } else { nil } }
    }

    /// How an answer is coded.
    struct Packing {
        var compression: PayloadCompression?
        var hasChecksum: Bool

        /// What a request asks for; nil if the answer is to be plain, as most are.
        init?(for request: IncomingRequest) {
            compression = request.envelopeExtension?.acceptCompress
                .flatMap(PayloadCompression.best(of:))
            hasChecksum = request.payload.hasChecksum
            if compression == nil, !hasChecksum { return nil }
        }
    }

    init(
        id: CallID, route: Route, context: ServerCallContext, arrival: NIODeadline,
        admission: consuming CallAdmission, wantsReply: Bool = true, packing: Packing? = nil
    ) {
        self.id = id
        self.route = route
        self.context = context
        self.arrival = arrival
        self.wantsReply = wantsReply
        self.packing = packing
        self.admission = consume admission
    }

    /// Gives back the room that the call took; its task is at its end.
    func leave(wasGivenUp: Bool) {
        guard let admission = admission.take() else { return }
        let now = NIODeadline.now()
        admission.leave(latency: wasGivenUp ? nil : now - arrival, now: now)
    }

    /// Tells the handler to stop; what it wrote and was not sent is dropped.
    func cancel() {
        sink?.discard()
        source?.end(.failure(CancellationError()))
        task?.cancel()
    }
}
