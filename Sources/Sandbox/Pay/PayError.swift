/// A refusal of WeChat Pay v3: `{"code":…,"message":…,"detail":…}` with a status.
struct PayError: Error, Hashable, Sendable {
    var status: Int
    var code: String
    var message: String
    /// `field`, `value`, `issue` and `location` of what is wrong.
    var detail: JSONValue?
    /// The number behind the dash in `Request-ID`.
    var requestCode: Int64 = 268_435_456

    /// The answer's body.
    var body: JSONValue {
        var members: [JSONValue.Member] = [
            .init(name: "code", value: .string(code)),
            .init(name: "message", value: .string(message)),
        ]
        if let detail { members.append(.init(name: "detail", value: detail)) }
        return .object(members)
    }

    /// A parameter is missing or wrong.
    static func parameter(_ field: String, _ issue: String, location: String = "body") -> PayError {
        PayError(
            status: 400, code: "PARAM_ERROR", message: "参数错误：\(field) \(issue)",
            detail: [
                "field": .string("/" + field), "issue": .string(issue),
                "location": .string(location),
            ])
    }

    /// The request's signature, serial or time is wrong.
    static func signature(_ issue: String) -> PayError {
        PayError(
            status: 401, code: "SIGN_ERROR", message: "错误的签名，验签失败",
            detail: [
                "field": "signature", "issue": .string(issue), "location": "authorization",
            ], requestCode: 268_443_699)
    }

    static let orderNotExist = PayError(
        status: 404, code: "ORDER_NOT_EXIST", message: "订单不存在", requestCode: 268_512_771)
    static let orderPaid = PayError(
        status: 400, code: "ORDER_PAID", message: "该订单已支付", requestCode: 268_449_538)
    static let orderClosed = PayError(
        status: 400, code: "ORDER_CLOSED", message: "订单已关闭", requestCode: 268_447_915)
    static let orderExpired = PayError(
        status: 400, code: "INVALID_REQUEST", message: "订单已过期", requestCode: 268_447_914)
    static let numberUsed = PayError(
        status: 403, code: "OUT_TRADE_NO_USED", message: "商户订单号重复", requestCode: 268_498_688)
    static let wrongAppOrMerchant = PayError(
        status: 400, code: "APPID_MCHID_NOT_MATCH", message: "appid和mch_id不匹配")
    static let systemError = PayError(
        status: 500, code: "SYSTEM_ERROR", message: "系统异常，请稍后重试")
}
