import Testing
import TollgateClient

/// A signed-in person at a client.
struct Person: Sendable {
    let client: TollgateClient
    let options: CallOptions

    init(_ client: TollgateClient, authorization: String) {
        self.client = client
        options = CallOptions(authorization: authorization)
    }

    /// What an answer looked like.
    struct Answer: Sendable {
        var start: V1.AnswerStart?
        var text = ""
        var done: V1.AnswerDone?
        var error: V1.AnswerError?
    }

    /// A question as it goes on the wire.
    static func request(_ text: String = "hello", id: String, model: String = "m")
        -> V1.AskRequest
    {
        V1.AskRequest(
            model: model, turns: [V1.ChatTurn(role: "user", content: text)], maxTokens: 64,
            requestId: id)
    }

    /// Asks and reads the answer to its end.
    func ask(
        id: String, model: String = "m", onEvent: (V1.AnswerEvent) -> Void = { _ in }
    ) async throws -> Answer {
        try await ChatServiceClient(client).ask(
            Self.request(id: id, model: model), options: options
        ) { stream in
            var answer = Answer()
            for try await event in stream {
                #expect(answer.done == nil && answer.error == nil, "nothing comes after the end")
                switch event.event {
                case .start(let start): answer.start = start
                case .delta(let text): answer.text += text
                case .done(let done): answer.done = done
                case .error(let error): answer.error = error
                case nil: Issue.record("an event without content")
                }
                onEvent(event)
            }
            return answer
        }
    }

    func quota() async throws -> V1.GetQuotaResponse {
        try await AccountsServiceClient(client).getQuota(V1.GetQuotaRequest(), options: options)
    }

    func order(key: String = "k1") async throws -> V1.Order {
        let response = try await OrdersServiceClient(client).placeOrder(
            V1.PlaceOrderRequest(productKey: "starter", idempotencyKey: key), options: options)
        return try #require(response.order)
    }

    func order(_ id: String) async throws -> V1.Order {
        let response = try await OrdersServiceClient(client).getOrder(
            V1.GetOrderRequest(orderId: id), options: options)
        return try #require(response.order)
    }

    /// Credits bought with orders, in micro-credits.
    func bought() async throws -> Int64 {
        try await quota().lots.filter { $0.origin == "order" }
            .reduce(0) { $0 + $1.grantedMicroCredits }
    }
}
