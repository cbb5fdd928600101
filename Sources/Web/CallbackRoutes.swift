internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Metrics
internal import NIOCore
internal import TollgateClient

/// WeChat's callbacks: passed to the server untouched, answered with its verdict.
///
/// Nothing is judged here. What the server does not answer in time is a 5xx, upon which WeChat
/// sends the same thing again.
struct CallbackRoutes: Sendable {
    let client: TollgateClient
    let timeoutMilliseconds: Int64

    /// The headers that the server verifies a notification with; no other header leaves this tier.
    private static let signatureHeaders: Set<String> = [
        "wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature",
        "wechatpay-signature-type",
    ]

    /// Adds the callbacks' addresses.
    func add(to router: Router<BasicRequestContext>) {
        router.get("/callback/weixin") { request, context in
            await counted("weixin") { try await weixin(request, context) }
        }
        router.post("/callback/weixin") { request, context in
            await counted("weixin") { try await weixin(request, context) }
        }
        router.post("/callback/wechatpay") { request, context in
            await counted("wechatpay") { try await payment(request, context) }
        }
    }

    private func weixin(_ request: Request, _ context: BasicRequestContext) async throws
        -> Response
    {
        let query = Self.rawQuery(of: request)
        guard query.utf8.count <= WebLimits.queryBytes else { return Response(status: .uriTooLong) }
        let body = try await Self.body(of: request)
        let call = V1.ReceiveCallbackRequest(
            httpMethod: request.method.rawValue, query: query, body: body)
        do {
            let verdict = try await inTime { options in
                try await WeixinServiceClient(client).receiveCallback(call, options: options)
            }
            return Self.response(
                status: verdict.httpStatus, contentType: verdict.contentType, body: verdict.body)
        } catch {
            return Response(status: Self.status(for: error, context))
        }
    }

    private func payment(_ request: Request, _ context: BasicRequestContext) async throws
        -> Response
    {
        var headers: [V1.CallbackHeader] = []
        for field in request.headers
        where Self.signatureHeaders.contains(field.name.canonicalName) {
            guard field.value.utf8.count <= WebLimits.headerValueBytes,
                headers.count < WebLimits.signatureHeaders
            else {
                return Self.failure(.requestHeaderFieldsTooLarge, "signature headers too large")
            }
            headers.append(
                V1.CallbackHeader(name: field.name.canonicalName, value: field.value))
        }
        let body: [UInt8]
        do {
            body = try await Self.body(of: request)
        } catch let error as HTTPError {
            return Self.failure(error.status, "the body cannot be read")
        }
        let call = V1.NotifyPaymentRequest(headers: headers, body: body)
        do {
            let verdict = try await inTime { options in
                try await PaymentsServiceClient(client).notifyPayment(call, options: options)
            }
            return Self.response(
                status: verdict.httpStatus, contentType: "application/json; charset=utf-8",
                body: Array(verdict.body.utf8))
        } catch {
            return Self.failure(Self.status(for: error, context), "not processed, send it again")
        }
    }
}

extension CallbackRoutes {
    /// The server did not answer within WeChat's patience.
    private struct Late: Error {}

    /// Runs a call; it is cancelled when the time is over, whatever its own deadline does.
    private func inTime<Answer: Sendable>(
        _ call: @escaping @Sendable (CallOptions) async throws -> Answer
    ) async throws -> Answer {
        let timeoutMilliseconds = timeoutMilliseconds
        return try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask {
                try await call(CallOptions(timeoutMilliseconds: timeoutMilliseconds))
            }
            group.addTask {
                try await Task.sleep(for: .milliseconds(timeoutMilliseconds))
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let answer = first else { throw Late() }
            return answer
        }
    }

    /// What a call without a verdict is answered with: always a 5xx, so that it comes again.
    private static func status(for error: any Error, _ context: BasicRequestContext)
        -> HTTPResponse.Status
    {
        let code = (error as? TollgateError)?.code ?? (error is Late ? "late" : "cancelled")
        context.logger.warning(
            "the server gave no verdict on a callback", metadata: ["code": "\(code)"])
        return code == "late" || code == "deadline_exceeded" ? .gatewayTimeout : .serviceUnavailable
    }

    /// The query exactly as it was sent: the signature covers it before any decoding.
    private static func rawQuery(of request: Request) -> String {
        let target = request.uri.string
        guard let mark = target.firstIndex(of: "?") else { return "" }
        return String(target[target.index(after: mark)...])
    }

    private static func body(of request: Request) async throws -> [UInt8] {
        let buffer = try await request.body.collect(upTo: WebLimits.callbackBytes)
        return Array(buffer.readableBytesView)
    }

    /// The server's verdict; what is no HTTP status is the server's defect.
    private static func response(status: Int32, contentType: String, body: [UInt8]) -> Response {
        guard (200..<600).contains(status) else { return Response(status: .badGateway) }
        var headers: HTTPFields = [:]
        if !body.isEmpty {
            headers[.contentType] = contentType.isEmpty ? "text/plain" : contentType
        }
        return Response(
            status: .init(code: Int(status)), headers: headers,
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    private static func failure(_ status: HTTPResponse.Status, _ message: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(
                byteBuffer: ByteBuffer(string: #"{"code":"FAIL","message":"\#(message)"}"#)))
    }

    /// Counts the answer by status and measures its time.
    private func counted(_ callback: String, _ answer: () async throws -> Response) async
        -> Response
    {
        let start = ContinuousClock.now
        let response: Response
        do {
            response = try await answer()
        } catch {
            let status = (error as? any HTTPResponseError)?.status ?? .badRequest
            response = Response(status: status)
        }
        Counter(
            label: "tollgate_web_callbacks_total",
            dimensions: [("callback", callback), ("status", "\(response.status.code)")]
        ).increment()
        Metrics.Timer(
            label: "tollgate_web_callback_seconds", dimensions: [("callback", callback)]
        ).record(duration: ContinuousClock.now - start)
        return response
    }
}
