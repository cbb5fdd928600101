internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TollgateClient

/// `GET /health`: 200 while the server behind answers, 503 otherwise.
struct HealthRoute: Sendable {
    let client: TollgateClient

    /// Adds the address.
    func add(to router: Router<BasicRequestContext>) {
        router.get("/health") { _, _ in await answer() }
    }

    private func answer() async -> Response {
        do {
            let pong = try await DiagnosticsServiceClient(client).ping(
                V1.PingRequest(),
                options: CallOptions(timeoutMilliseconds: WebLimits.healthMilliseconds))
            return Self.response(.ok, #"{"status":"ok","realm":"\#(Self.plain(pong.realm))"}"#)
        } catch let error as TollgateError {
            return Self.response(
                .serviceUnavailable,
                #"{"status":"unavailable","code":"\#(Self.plain(error.code))"}"#)
        } catch {
            return Self.response(.serviceUnavailable, #"{"status":"unavailable"}"#)
        }
    }

    /// Only what needs no escaping in JSON.
    private static func plain(_ text: String) -> String {
        String(text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
    }

    private static func response(_ status: HTTPResponse.Status, _ json: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: json)))
    }
}
