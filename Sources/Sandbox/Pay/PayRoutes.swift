internal import Cryptography
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import TollgateKernel

/// WeChat Pay's interface for merchants: native order, query, close, platform certificates.
struct PayRoutes: Sendable {
    let store: SandboxStore
    let verifier: MerchantVerifier
    let signer: PlatformSigner
    let rules: TradeRules
    let appID: String
    let merchantID: String
    let clock: any WallClock
    let random: any RandomSource

    private typealias Handler =
        @Sendable (_ request: Request, _ context: SandboxContext, _ body: [UInt8]) async throws
        -> JSONValue?

    /// Adds every route under `/v3`.
    func add(to router: Router<SandboxContext>) {
        let trades = "/v3/pay/transactions"
        router.post("\(trades)/native", use: signed(place))
        router.get("\(trades)/out-trade-no/:number", use: signed(queryByNumber))
        router.get("\(trades)/id/:number", use: signed(queryByTransactionID))
        router.post("\(trades)/out-trade-no/:number/close", use: signed(close))
        router.get("/v3/certificates", use: signed(certificates))
    }

    /// Verifies the request, runs the handler and signs whatever is answered, refusals too.
    private func signed(_ handler: @escaping Handler)
        -> @Sendable (Request, SandboxContext) async throws -> Response
    {
        { request, context in
            var status = 200
            var requestCode: Int64 = 0
            var body: [UInt8] = []
            do {
                let received = try await request.wholeBody()
                try verifier.verify(request, body: received)
                if let answer = try await handler(request, context, received) {
                    body = Array(answer.text.utf8)
                } else {
                    status = 204
                }
            } catch {
                let refusal = error as? PayError ?? .systemError
                if !(error is PayError) {
                    context.logger.error("WeChat Pay failed", metadata: ["error": "\(error)"])
                }
                (status, requestCode) = (refusal.status, refusal.requestCode)
                body = Array(refusal.body.text.utf8)
            }
            return try response(status: status, body: body, requestCode: requestCode)
        }
    }

    private func response(status: Int, body: [UInt8], requestCode: Int64) throws -> Response {
        var headers: HTTPFields = [:]
        for header in try signer.headers(for: body, at: clock.now()) {
            headers[.named(header.name)] = header.value
        }
        headers[.named("Request-ID")] =
            Hexadecimal.encode(random.bytes(14)).uppercased() + "-\(requestCode)"
        if !body.isEmpty { headers[.contentType] = "application/json; charset=utf-8" }
        return Response(
            status: .init(code: status), headers: headers,
            body: body.isEmpty ? .init() : .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    @Sendable
    private func place(_ request: Request, _ context: SandboxContext, _ body: [UInt8])
        async throws -> JSONValue?
    {
        let order = try NativeOrder(body: body, appID: appID, merchantID: merchantID)
        return ["code_url": .string(try await store.placeOrder(order, by: rules))]
    }

    @Sendable
    private func queryByNumber(_ request: Request, _ context: SandboxContext, _ body: [UInt8])
        async throws -> JSONValue?
    {
        try checkMerchant(request)
        return try answer(try await store.trade(outTradeNumber: try number(in: context)))
    }

    @Sendable
    private func queryByTransactionID(
        _ request: Request, _ context: SandboxContext, _ body: [UInt8]
    ) async throws -> JSONValue? {
        try checkMerchant(request)
        return try answer(try await store.trade(transactionID: try number(in: context)))
    }

    private func answer(_ trade: Trade?) throws(PayError) -> JSONValue {
        guard let trade else { throw .orderNotExist }
        return trade.json(appID: appID, merchantID: merchantID)
    }

    @Sendable
    private func close(_ request: Request, _ context: SandboxContext, _ body: [UInt8])
        async throws -> JSONValue?
    {
        guard JSONValue(parsing: body)?["mchid"]?.stringValue == merchantID else {
            throw PayError.parameter("mchid", "missing or not yours")
        }
        try await store.closeTrade(outTradeNumber: try number(in: context))
        return nil
    }

    @Sendable
    private func certificates(_ request: Request, _ context: SandboxContext, _ body: [UInt8])
        async throws -> JSONValue?
    {
        let certificate = signer.certificate
        return [
            "data": [
                [
                    "serial_no": .string(certificate.serialNumber),
                    "effective_time": .string(RFC3339.text(certificate.notBefore)),
                    "expire_time": .string(RFC3339.text(certificate.notAfter)),
                    "encrypt_certificate": .object(
                        try signer.seal(certificate.pem, associatedData: "certificate")),
                ]
            ]
        ]
    }

    private func checkMerchant(_ request: Request) throws(PayError) {
        guard let named = request.uri.queryParameters["mchid"], named == merchantID else {
            throw .parameter("mchid", "missing or not yours", location: "query")
        }
    }

    private func number(in context: SandboxContext) throws(PayError) -> String {
        guard let raw = context.parameters.get("number"), let number = raw.removingPercentEncoding
        else { throw .orderNotExist }
        return number
    }
}
