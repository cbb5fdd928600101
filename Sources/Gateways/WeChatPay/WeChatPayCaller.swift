internal import Cryptography
internal import Orders
internal import TollgateKernel

/// Signs and sends requests to WeChat Pay; what comes back is not verified yet (payments reference,
/// section 1.1).
struct WeChatPayCaller: Sendable {
    let configuration: WeChatPayConfiguration
    let transfers: HTTPTransfers
    let clock: any WallClock
    let random: any RandomSource

    /// Sends one request; the answer may be any status.
    func send(_ method: OutgoingRequest.Method, _ path: String, body: [UInt8] = [])
        async throws(PaymentGatewayFailure) -> OutgoingResponse
    {
        do {
            return try await transfers.perform(try await signed(method, path, body: body))
        } catch let failure as TransferFailure where failure.kind == .invalidRequest {
            throw PaymentGatewayFailure(.misconfigured, message: failure.message)
        } catch let failure as TransferFailure {
            throw PaymentGatewayFailure(.unknownOutcome, message: failure.message)
        } catch is CryptographyError {
            throw PaymentGatewayFailure(.misconfigured, message: "The request cannot be signed")
        } catch {
            throw PaymentGatewayFailure(.unknownOutcome, message: "Cancelled by the caller")
        }
    }

    private func signed(_ method: OutgoingRequest.Method, _ path: String, body: [UInt8])
        async throws -> OutgoingRequest
    {
        let url = configuration.baseURL + path
        let (now, nonce) = (clock.now(), Hexadecimal.encode(random.bytes(16)))
        let authorization = try await awayFromEventLoops { [configuration] in
            try WeChatPaySignature.authorization(
                method: method.rawValue, target: Self.target(of: url), body: body, nonce: nonce,
                now: now, configuration: configuration)
        }
        var headers = [("Accept", "application/json"), ("Authorization", authorization)]
        if method == .post { headers.append(("Content-Type", "application/json")) }
        if let serial = configuration.answerKeySerial {
            headers.append(("Wechatpay-Serial", serial))
        }
        return OutgoingRequest(
            method, url: url, headers: headers, body: body, timeouts: configuration.timeouts)
    }

    /// Path and query of an address as they go on the wire.
    private static func target(of url: String) -> String {
        let afterScheme = url.drop { $0 != "/" }.dropFirst(2)
        return String(afterScheme.drop { $0 != "/" })
    }
}
