internal import TollgateKernel

/// The body of `POST /v3/pay/transactions/native`, checked.
struct NativeOrder: Hashable, Sendable {
    var outTradeNumber: String
    var description: String
    var attach: String
    var notifyURL: String
    var totalFen: Int64
    /// As asked for; nil for WeChat's own seven days.
    var expiresAt: Timestamp?
    /// Every parameter in one order: two calls are the same if this is.
    var canonicalText: String

    /// Reads and checks a body.
    init(body: [UInt8], appID: String, merchantID: String) throws(PayError) {
        guard let json = JSONValue(parsing: body), case .object = json else {
            throw .parameter("", "not a JSON object")
        }
        let namedAppID = try Self.text("appid", in: json, 1...32)
        let namedMerchantID = try Self.text("mchid", in: json, 1...32)
        guard namedAppID == appID, namedMerchantID == merchantID else { throw .wrongAppOrMerchant }
        description = try Self.text("description", in: json, 1...127)
        outTradeNumber = try Self.text("out_trade_no", in: json, 6...32)
        guard outTradeNumber.utf8.allSatisfy(Self.isNumberCharacter) else {
            throw .parameter("out_trade_no", "only [0-9A-Za-z_-|*]")
        }
        attach = json["attach"] == nil ? "" : try Self.text("attach", in: json, 0...128)
        notifyURL = try Self.notifyURL(in: json)
        expiresAt = try Self.expiry(in: json)
        guard let amount = json["amount"] else { throw .parameter("amount", "missing") }
        guard let total = amount["total"]?.integerValue, total >= 1 else {
            throw .parameter("amount/total", "an integer of at least 1 fen")
        }
        totalFen = total
        if let currency = amount["currency"], currency != "CNY" {
            throw .parameter("amount/currency", "only CNY")
        }
        canonicalText = json.text
    }

    private static func text(_ name: String, in json: JSONValue, _ length: ClosedRange<Int>)
        throws(PayError) -> String
    {
        guard let value = json[name]?.stringValue else { throw .parameter(name, "missing") }
        guard length.contains(value.count) else {
            throw .parameter(
                name, "must have \(length.lowerBound) to \(length.upperBound) characters")
        }
        return value
    }

    /// WeChat takes https alone; a stand-in on one machine takes http on this machine as well.
    private static func notifyURL(in json: JSONValue) throws(PayError) -> String {
        let url = try text("notify_url", in: json, 1...255)
        let isLocal = ["127.0.0.1", "localhost", "[::1]"].contains { host in
            url.hasPrefix("http://\(host):") || url.hasPrefix("http://\(host)/")
        }
        guard isLocal, !url.contains("?") else {
            throw .parameter("notify_url", "here: http://, this machine, no query")
        }
        return url
    }

    private static func expiry(in json: JSONValue) throws(PayError) -> Timestamp? {
        guard let value = json["time_expire"] else { return nil }
        guard let moment = value.stringValue.flatMap(RFC3339.moment) else {
            throw .parameter("time_expire", "not RFC 3339, such as 2026-01-01T10:34:56+08:00")
        }
        return moment
    }

    private static func isNumberCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "|"), UInt8(ascii: "*"):
            true
        default: false
        }
    }
}
