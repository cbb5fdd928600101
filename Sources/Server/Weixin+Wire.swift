internal import Application
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// The official account's callbacks on the wire.
struct WeixinHandlers: WeixinServiceHandlers {
    let receivePush: ReceivePush

    func receiveCallback(_ request: V1.ReceiveCallbackRequest, _ context: ServerCallContext)
        async throws -> V1.ReceiveCallbackResponse
    {
        let answer = try await receivePush.receive(
            method: request.httpMethod, query: request.query, body: request.body)
        return V1.ReceiveCallbackResponse(
            httpStatus: Int32(answer.status), contentType: answer.contentType, body: answer.body)
    }
}
