internal import Application
internal import Logging
internal import Metrics
internal import Orders
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// WeChat Pay's notifications on the wire.
struct PaymentsHandlers: PaymentsServiceHandlers {
    let verifier: any PaymentNotificationVerifier
    let bookPayment: BookPayment
    let settlements: Settlements
    let clock: any WallClock
    let cpu: BlockingWork
    private let logger = Logger(label: "tollgate.payments")

    init(
        verifier: any PaymentNotificationVerifier, bookPayment: BookPayment,
        settlements: Settlements, clock: any WallClock, cpu: BlockingWork
    ) {
        self.verifier = verifier
        self.bookPayment = bookPayment
        self.settlements = settlements
        self.clock = clock
        self.cpu = cpu
    }

    /// Answers 200 only for what is durable; WeChat sends everything else again.
    func notifyPayment(_ request: V1.NotifyPaymentRequest, _ context: ServerCallContext)
        async throws -> V1.NotifyPaymentResponse
    {
        let raw = RawPaymentNotification(
            headers: request.headers.map { ($0.name, $0.value) }, body: request.body)
        let now = clock.now()
        let notification: VerifiedPaymentNotification
        await verifier.prepare(for: raw, now: now)
        do {
            notification = try await cpu.run { [verifier] in
                try verifier.verify(raw, now: now)
            }
        } catch let failure as Failure {
            Self.count("refused")
            logger.warning(
                "a payment notification was refused",
                metadata: ["code": "\(failure.code.rawValue)", "reason": "\(failure.message)"])
            return Self.answer(status: failure.code.httpStatus, failure.message)
        }
        guard notification.eventType == "TRANSACTION.SUCCESS" else {
            // Only payments are booked here; WeChat sends other kinds again until they are known.
            Self.count("unhandled")
            return Self.answer(status: 501, "This kind of event is not handled.")
        }
        let slot = try settlements.reserve()
        let verdict = try await slot.settle { [bookPayment] in
            try await bookPayment.book(notification)
        }
        return Self.answer(to: verdict)
    }

    private static func answer(to verdict: BookingVerdict) -> V1.NotifyPaymentResponse {
        switch verdict {
        case .delivered, .undelivered:
            count("booked")
            return success
        case .alreadyBooked:
            count("repeated")
            return success
        case .incident, .notPaid:
            // The incident is stored: telling us again would not help.
            count("incident")
            return success
        case .unknownOrder:
            count("unknown_order")
            return answer(status: 500, "The order is not known (yet).")
        }
    }

    private static func count(_ outcome: String) {
        Counter(
            label: "tollgate_payment_notifications_total", dimensions: [("outcome", outcome)]
        ).increment()
    }

    private static let success = V1.NotifyPaymentResponse(
        httpStatus: 200, body: #"{"code":"SUCCESS"}"#)

    /// The body WeChat documents for failures.
    ///
    /// Messages are ours and hold no quotes.
    private static func answer(status: Int, _ message: String) -> V1.NotifyPaymentResponse {
        let text = message.filter { $0 != "\"" && $0 != "\\" }
        return V1.NotifyPaymentResponse(
            httpStatus: Int32(status), body: #"{"code":"FAIL","message":"\#(text)"}"#)
    }
}
