internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Signs of life on the wire.
struct DiagnosticsHandlers: DiagnosticsServiceHandlers {
    let clock: any WallClock
    let version: String
    let realm: String

    func ping(_ request: V1.PingRequest, _ context: ServerCallContext) async throws
        -> V1.PingResponse
    {
        guard request.payload.count <= Limits.pingPayloadBytes else {
            throw Failure(
                .invalidRequest, "A ping carries at most \(Limits.pingPayloadBytes) bytes.")
        }
        return V1.PingResponse(
            payload: request.payload, version: version, nowMilliseconds: clock.now().milliseconds,
            realm: realm)
    }
}
