import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// WeChat Pay's notifications as they come: often, at once, forged, wrong.
@Suite(.timeLimit(.minutes(5))) struct NotificationTests {
    private static let bought = Credits(whole: 10).micro

    @Test(arguments: Reach.allCases, [2, 16])
    func `Told several times at once, every telling is answered and credits come once`(
        reach: Reach, count: Int
    ) async throws {
        try await ServerBench.with(reach) { world in
            let (authorization, _) = try await world.signIn()
            try await world.client { client in
                let person = Person(client, authorization: authorization)
                let order = try await person.order()
                let wechat = try PaymentWorld.make()
                let now = world.bench.clock.now()
                let requests = try (0..<count).map { number in
                    // Half of them are one notification, half have ids of their own.
                    var payment = PaymentWorld.Payment(outTradeNumber: order.outTradeNumber)
                    if number.isMultiple(of: 2) { payment.id = "EV-\(number)" }
                    return try wechat.notification(wechat.body(of: payment), at: now)
                }
                let statuses = try await withThrowingTaskGroup(of: Int32.self) { group in
                    for request in requests {
                        group.addTask {
                            try await PaymentsServiceClient(client).notifyPayment(request)
                                .httpStatus
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(statuses == [Int32](repeating: 200, count: count))
                #expect(try await person.bought() == Self.bought)
                #expect(try await person.order(order.orderId).state == "delivered")
            }
        }
    }

    /// A notification that must not be believed, or must not credit.
    enum Wrong: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case bodyTampered
        case signatureTampered
        case tooOld
        case fromTheFuture
        case unknownSerial
        case fieldMissing
        case fieldTwice
        case noBody
        case otherMerchant
        case otherAppID
        case otherAmount
        case amountAsText
        case otherKindOfEvent
        case unknownOrder

        var testDescription: String { rawValue }

        /// What WeChat is answered.
        var status: Int32 {
            switch self {
            case .bodyTampered, .signatureTampered, .tooOld, .fromTheFuture, .unknownSerial,
                .fieldMissing, .fieldTwice:
                401
            case .otherMerchant, .otherAppID: 403
            case .noBody, .amountAsText: 400
            // It is in the books as an incident: telling us again would change nothing.
            case .otherAmount: 200
            case .otherKindOfEvent: 501
            // It may be racing its own order: tell us again.
            case .unknownOrder: 500
            }
        }

        /// The incidents it leaves behind.
        var incidents: [String] {
            switch self {
            case .otherAmount: ["amount_mismatch"]
            case .unknownOrder: ["unknown_order"]
            default: []
            }
        }

        func request(
            for outTradeNumber: String, _ wechat: PaymentWorld, at now: Timestamp
        ) throws -> V1.NotifyPaymentRequest {
            var payment = PaymentWorld.Payment(outTradeNumber: outTradeNumber)
            var moment = now
            var serial = PaymentWorld.serial
            switch self {
            case .tooOld: moment = now.adding(milliseconds: -301_000)
            case .fromTheFuture: moment = now.adding(milliseconds: 301_000)
            case .unknownSerial: serial = "PUB_KEY_ID_0002"
            case .otherMerchant: payment.merchantID = "1900000002"
            case .otherAppID: payment.appID = "wx0000000000000002"
            case .otherAmount: payment.total = "1"
            case .amountAsText: payment.total = "\"100\""
            case .otherKindOfEvent: payment.eventType = "TRANSACTION.OTHER"
            case .unknownOrder: payment.outTradeNumber = "TG0000000000000"
            default: break
            }
            let body = self == .noBody ? [] : try wechat.body(of: payment)
            var request = try wechat.notification(body, at: moment, serial: serial)
            switch self {
            case .bodyTampered: request.body[request.body.count / 2] ^= 1
            case .signatureTampered:
                let value = request.headers[3].value
                request.headers[3].value =
                    (value.first == "A" ? "B" : "A") + value.dropFirst()
            case .fieldMissing: request.headers.remove(at: 1)
            case .fieldTwice: request.headers.append(request.headers[3])
            default: break
            }
            return request
        }
    }

    @Test(arguments: Wrong.allCases)
    func `A wrong notification is answered as such and credits nothing`(wrong: Wrong)
        async throws
    {
        try await ServerBench.with { world in
            let (authorization, _) = try await world.signIn()
            try await world.client { client in
                let person = Person(client, authorization: authorization)
                let payments = PaymentsServiceClient(client)
                let order = try await person.order()
                let wechat = try PaymentWorld.make()
                let now = world.bench.clock.now()
                let verdict = try await payments.notifyPayment(
                    wrong.request(for: order.outTradeNumber, wechat, at: now))
                #expect(verdict.httpStatus == wrong.status, "\(verdict.body)")
                #expect(verdict.body.contains("SUCCESS") == (wrong.status == 200))
                #expect(try await person.bought() == 0)
                #expect(try await person.order(order.orderId).state == "awaiting_payment")

                // The right one is believed all the same: nothing of the wrong one stuck. (Money of
                // a wrong amount did come, so the right amount is another transaction.)
                var payment = PaymentWorld.Payment(outTradeNumber: order.outTradeNumber)
                if wrong == .otherAmount { payment.transactionID = "4200000000202609210000000002" }
                let right = try wechat.notification(wechat.body(of: payment), at: now)
                #expect(try await payments.notifyPayment(right).httpStatus == 200)
                #expect(try await person.bought() == Self.bought)
            }
            try await world.client("admin") { client in
                let incidents = try await OperationsServiceClient(client).listIncidents(
                    V1.ListIncidentsRequest())
                #expect(incidents.incidents.map(\.kind) == wrong.incidents)
            }
        }
    }
}
