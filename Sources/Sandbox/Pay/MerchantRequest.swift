internal import Cryptography
internal import HTTPTypes
internal import Hummingbird
internal import TollgateKernel

/// Checks that a request is the merchant's: the signature over the very bytes that came.
struct MerchantVerifier: Sendable {
    let merchantID: String
    let certificate: Certificate
    let clock: any WallClock

    private static let scheme = "WECHATPAY2-SHA256-RSA2048"
    /// WeChat's own tolerance.
    private static let freshSeconds: Int64 = 300

    /// Checks headers and signature.
    ///
    /// - Throws: ``PayError`` as WeChat Pay would answer.
    func verify(_ request: Request, body: [UInt8]) throws(PayError) {
        guard !(request.headers[.accept] ?? "").isEmpty,
            !(request.headers[.userAgent] ?? "").isEmpty
        else { throw .parameter("header", "Http头缺少Accept或User-Agent", location: "header") }
        if !body.isEmpty {
            let type = request.headers[.contentType]?.lowercased() ?? ""
            guard type.hasPrefix("application/json") else {
                throw .parameter("Content-Type", "must be application/json", location: "header")
            }
        }
        let fields = try Self.fields(of: request.headers[.authorization] ?? "")
        guard fields["mchid"] == merchantID else { throw .signature("unknown mchid") }
        guard fields["serial_no"]?.uppercased() == certificate.serialNumber else {
            throw .signature("unknown serial_no")
        }
        guard let nonce = fields["nonce_str"], (1...32).contains(nonce.utf8.count) else {
            throw .signature("nonce_str missing or longer than 32")
        }
        guard let timestamp = fields["timestamp"].flatMap(Int64.init),
            abs(clock.now().seconds - timestamp) <= Self.freshSeconds
        else { throw .signature("timestamp missing or more than 300 s off") }
        guard let signature = fields["signature"].flatMap({ Base64.decode($0) }) else {
            throw .signature("signature is not base64")
        }
        let head = "\(request.method.rawValue)\n\(request.uri.string)\n\(timestamp)\n\(nonce)\n"
        let message = Array(head.utf8) + body + [0x0a]
        guard (try? certificate.publicKey.isValid(signature: signature, for: message)) == true
        else { throw .signature("signature does not match") }
    }

    /// The fields of `WECHATPAY2-SHA256-RSA2048 mchid="…",…`, in any order.
    private static func fields(of authorization: String) throws(PayError) -> [String: String] {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0] == scheme else {
            throw .signature("Authorization is not \(scheme)")
        }
        var fields: [String: String] = [:]
        for field in parts[1].split(separator: ",") {
            let pair = field.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[1].count >= 2, pair[1].first == "\"", pair[1].last == "\""
            else { throw .signature("malformed Authorization") }
            let name = String(pair[0]).trimmed
            guard fields.updateValue(String(pair[1].dropFirst().dropLast()), forKey: name) == nil
            else { throw .signature("\(name) twice in Authorization") }
        }
        return fields
    }
}
