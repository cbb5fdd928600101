internal import Orders

/// What WeChat Pay's refusals mean (payments reference, section 1.1, errors).
enum WeChatPayErrors {
    /// The failure for an answer that is not 2xx.
    ///
    /// Such answers are not verified, as WeChat's own libraries do not; so none of them may lead
    /// to credits, and "is paid" leads to a query, whose answer is verified.
    static func failure(status: Int, body: [UInt8]) -> PaymentGatewayFailure {
        let code = (try? JSONValue(parsing: body))?["code"]?.text.map(plain)
        let message = "WeChat Pay answered \(status)\(code.map { " \($0)" } ?? "")"
        return PaymentGatewayFailure(
            kind(status: status, code: code), remoteCode: code, message: message)
    }

    private static func kind(status: Int, code: String?) -> PaymentGatewayFailure.Kind {
        // Two spellings are about: ORDER_PAID and ORDERPAID.
        let known = code.flatMap { kinds[$0.filter { $0 != "_" }] }
        if known == .alreadyPaid { return .alreadyPaid }
        switch status {
        case 500...: return .unknownOutcome
        case 400..<500 where known != nil: return known ?? .refused
        // Without a code we know, a 404 may as well come from a wrong address: it must not read as
        // "there is no such trade", upon which an order is closed.
        case 401, 403, 404: return .misconfigured
        case 408: return .unknownOutcome
        case 429: return .rateLimited
        case 400..<500: return .refused
        default: return .misconfigured
        }
    }

    private static let kinds: [String: PaymentGatewayFailure.Kind] = [
        "ORDERPAID": .alreadyPaid, "ORDERCLOSED": .alreadyClosed,
        "ORDERNOTEXIST": .notFound, "RESOURCENOTEXISTS": .notFound,
        "FREQUENCYLIMITED": .rateLimited, "RATELIMITEXCEED": .rateLimited,
        "RATELIMITEXCEEDED": .rateLimited,
        "USERPAYING": .unknownOutcome, "SYSTEMERROR": .unknownOutcome,
        "BANKERROR": .unknownOutcome, "INVALIDTRANSACTIONID": .unknownOutcome,
        "OPENIDMISMATCH": .unknownOutcome,
        "SIGNERROR": .misconfigured, "NOAUTH": .misconfigured,
        "APPIDMCHIDNOTMATCH": .misconfigured, "MCHNOTEXISTS": .misconfigured,
        "ACCOUNTERROR": .misconfigured,
        "PARAMERROR": .refused, "INVALIDREQUEST": .refused, "OUTTRADENOUSED": .refused,
        "RULELIMIT": .refused, "TRADEERROR": .refused, "NOTENOUGH": .refused,
    ]

    /// A code as a plain word, whatever was sent.
    private static func plain(_ code: String) -> String {
        String(
            decoding: code.utf8.filter { (0x41...0x5a).contains($0) || $0 == 0x5f }.prefix(64),
            as: UTF8.self)
    }
}
