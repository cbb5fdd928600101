package import TollgateKernel

/// What is needed to make a native order at WeChat Pay (`reference` section 1.2).
package struct NativeOrderRequest: Hashable, Sendable {
    /// Our number, 6 to 32 of `[0-9A-Za-z_|*-]`; reused on every retry.
    package var outTradeNumber: String
    /// What the payer sees, at most 127 bytes.
    package var description: String
    /// The price.
    package var total: Money
    /// When paying ends at WeChat; equal to our own expiry.
    package var expiresAt: Timestamp

    /// Makes a request.
    package init(
        outTradeNumber: String, description: String, total: Money, expiresAt: Timestamp
    ) {
        self.outTradeNumber = outTradeNumber
        self.description = description
        self.total = total
        self.expiresAt = expiresAt
    }
}

/// A trade as WeChat Pay tells it: the answer of a query and the text of a notification.
package struct RemoteTrade: Hashable, Sendable {
    /// The states of a trade that matter for crediting.
    package enum State: String, Hashable, Sendable {
        /// Paid.
        case success = "SUCCESS"
        /// Paid, and at least one refund was made: still paid for crediting.
        case refunded = "REFUND"
        /// Not paid yet.
        case notPaid = "NOTPAY"
        /// Closed unpaid.
        case closed = "CLOSED"
        /// Anything else WeChat may say (`USERPAYING`, `PAYERROR`, `REVOKED`): not final.
        case other = "OTHER"
    }

    /// The account of the official account the trade was made for.
    package var appID: String
    /// The merchant.
    package var merchantID: String
    /// Our number.
    package var outTradeNumber: String
    /// WeChat's number; nil while unpaid.
    package var transactionID: String?
    /// The state.
    package var state: State
    /// What was to be paid; nil if WeChat left it out (unpaid trades).
    package var total: Money?
    /// Such as `CNY`; nil if left out.
    package var currency: String?
    /// When it was paid.
    package var paidAt: Timestamp?

    /// Makes a trade.
    package init(
        appID: String, merchantID: String, outTradeNumber: String, transactionID: String?,
        state: State, total: Money?, currency: String?, paidAt: Timestamp?
    ) {
        self.appID = appID
        self.merchantID = merchantID
        self.outTradeNumber = outTradeNumber
        self.transactionID = transactionID
        self.state = state
        self.total = total
        self.currency = currency
        self.paidAt = paidAt
    }
}

/// Why WeChat Pay did not do what was asked (`reference` section 1.1, errors).
package struct PaymentGatewayFailure: Error, Hashable, Sendable {
    /// What follows from the failure.
    package enum Kind: String, Hashable, Sendable {
        /// The order is paid: query it (`ORDER_PAID`, on any status).
        case alreadyPaid = "already_paid"
        /// The order is closed at WeChat: a new number is needed.
        case alreadyClosed = "already_closed"
        /// WeChat does not know the number.
        case notFound = "not_found"
        /// Too many calls: repeat later with the same parameters.
        case rateLimited = "rate_limited"
        /// Time-out, connection loss, 5xx: unknown whether it was done; query or repeat.
        case unknownOutcome = "unknown_outcome"
        /// The answer's signature is missing, wrong or stale: treated as forged.
        case forgedAnswer = "forged_answer"
        /// Our keys, clock or configuration are wrong (401, 403, wrong appid): raise an alarm.
        case misconfigured
        /// Final refusal of this request.
        case refused

        /// Whether it is certain that nothing was done for this request.
        package var isRefusal: Bool {
            switch self {
            case .rateLimited, .misconfigured, .refused: true
            case .alreadyPaid, .alreadyClosed, .notFound, .unknownOutcome, .forgedAnswer: false
            }
        }
    }

    /// What follows.
    package var kind: Kind
    /// WeChat's code, such as `PARAM_ERROR`, if it sent one.
    package var remoteCode: String?
    /// A sentence for the operator.
    package var message: String

    /// Makes a failure.
    package init(_ kind: Kind, remoteCode: String? = nil, message: String) {
        self.kind = kind
        self.remoteCode = remoteCode
        self.message = message
    }
}

/// WeChat Pay v3 as the domain needs it.
///
/// Implemented over libcurl in Gateways.
///
/// A time-out is never a failure: it is ``PaymentGatewayFailure/Kind/unknownOutcome``.
package protocol PaymentGateway: Sendable {
    /// Makes (or repeats) a native order; the answer is the `code_url` to draw as a QR code.
    func createNativeOrder(_ request: NativeOrderRequest) async throws(PaymentGatewayFailure)
        -> String

    /// Asks for a trade by our number.
    func queryTrade(outTradeNumber: String) async throws(PaymentGatewayFailure) -> RemoteTrade

    /// Closes an unpaid trade. Success proves little: query after it if in doubt (1.4).
    func closeTrade(outTradeNumber: String) async throws(PaymentGatewayFailure)
}

/// A notification as it arrived: nothing in it is trusted yet.
package struct RawPaymentNotification: Hashable, Sendable {
    /// Every header of the request as it came: names in any case, repeated ones repeated.
    package var headers: [(name: String, value: String)] {
        zip(headerNames, headerValues).map { (name: $0, value: $1) }
    }
    private var headerNames: [String]
    private var headerValues: [String]
    /// The body, byte for byte.
    package var body: [UInt8]

    /// Wraps what arrived.
    package init(headers: [(name: String, value: String)], body: [UInt8]) {
        headerNames = headers.map(\.name)
        headerValues = headers.map(\.value)
        self.body = body
    }
}

/// A notification whose size, headers, freshness, serial, signature, encryption, appid and mchid
/// were right.
package struct VerifiedPaymentNotification: Hashable, Sendable {
    /// WeChat's `id`: the key of the inbox row.
    package var notificationID: String
    /// Such as `TRANSACTION.SUCCESS`.
    package var eventType: String
    /// The decrypted trade.
    package var trade: RemoteTrade

    /// Makes a notification; only a verifier does.
    package init(notificationID: String, eventType: String, trade: RemoteTrade) {
        self.notificationID = notificationID
        self.eventType = eventType
        self.trade = trade
    }
}

/// Checks notifications in the order of `reference` section 1.6.
///
/// Implemented in Gateways.
package protocol PaymentNotificationVerifier: Sendable {
    /// Gets the key that a notification names, if it is not known; to be called before
    /// ``verify(_:now:)``.
    ///
    /// Asks WeChat Pay at most once a cool-down, whatever is sent. What it cannot get, `verify`
    /// refuses.
    func prepare(for raw: RawPaymentNotification, now: Timestamp) async

    /// Verifies and decrypts; pure CPU work of some 100 µs (RSA), so never on an event loop.
    ///
    /// - Throws: ``Failure`` with `.unauthenticated` (signature, freshness, serial, encryption),
    ///   `.invalidRequest` (size, shape) or `.forbidden` (a right signature, but another appid or
    ///   mchid).
    func verify(_ raw: RawPaymentNotification, now: Timestamp) throws(Failure)
        -> VerifiedPaymentNotification
}
