import NIOCore
import TollgateKernel
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
    /// Bytes of the request's messages that have been read.
    private var readBytes: Int64 = 0
    /// The stream stands among those that have something to send.
    var isReady = false
    /// The request's payload, if it came plain; its task takes it.
    var payload = ByteBuffer()
    /// What was read with the request, if the call has to wait in it.
    var pinnedRead: PinnedRead?
    /// An answer that is too long to be packed on the event loop.
    var longAnswer: ByteBuffer?
    /// The deadline had passed when nobody waited for the call any more.
    private var isOverdue = false
    /// The task; nil until it first suspends, and after its end.
    var task: Task<Void, Never>?
    /// Nobody waits for the call any more.
    private(set) var isCancelled = false
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
        static func wanted(by request: IncomingRequest) -> Packing? {
            let packing = Packing(
                compression: request.envelopeExtension?.acceptCompress
                    .flatMap(PayloadCompression.best(of:)),
                hasChecksum: request.payload.hasChecksum)
            return packing.compression == nil && !packing.hasChecksum ? nil : packing
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

    /// Counts bytes that the call keeps beside its packet's: unpacked ones, those of a stream.
    /// - Throws: 2004 if the connection or the server has too many in work.
    func charge(_ bytes: Int) throws(RPCError) { try admission?.grow(bytes) }

    /// Gives back what was charged for a stream's messages up to here: their reader has them.
    ///
    /// Where the stream's window counts bytes alone, `total` does too, and so many messages more
    /// have been read.
    func wasRead(upTo total: Int64, unchargedMessages: Int) {
        let bytes = Int(max(0, total - readBytes))
        admission?.shrink(bytes + unchargedMessages * Limits.rpcStreamMessageBytes)
        readBytes = max(readBytes, total)
    }

    /// Gives back the room that the call took; its task is at its end.
    ///
    /// What was cancelled before its deadline says nothing about our load; what was too late does.
    func leave() {
        pinnedRead = nil
        guard let admission = admission.take() else { return }
        let now = NIODeadline.now()
        let wasCancelled = outcome?.error?.code == RPCError.Code.cancelled
        admission.leave(latency: wasCancelled && !isOverdue ? nil : now - arrival, now: now)
    }

    /// Notes that nobody waits for the call any more.
    ///
    /// Our callers give a call up at the same deadline, and may be heard a little before our own
    /// look at it: that is late too.
    func noteGivenUp(at now: NIODeadline) {
        let tick = TimeAmount.milliseconds(Limits.rpcDeadlineTickMilliseconds)
        if now + tick >= context.deadline.moment { isOverdue = true }
    }

    /// Tells the handler to stop; what it wrote and was not sent is dropped.
    func cancel() {
        isCancelled = true
        sink?.discard()
        source?.end(.failure(CancellationError()))
        task?.cancel()
    }
}
