import TollgateClient
import TollgateKernel

/// The question that benchmarks ask, and how its answer is read.
enum BenchQuestion {
    /// Asks it and reads the answer to its receipt.
    ///
    /// - Parameter requestID: The idempotency key.
    /// - Parameter onEvent: Told of each event of the answer.
    /// - Returns: What the receipt charged; zero if there was none.
    /// - Throws: A `TollgateError` if the call fails or its answer ends in an error.
    static func ask(
        _ client: TollgateClient, requestID: String, options: CallOptions,
        onEvent: @escaping @Sendable () -> Void = {}
    ) async throws -> Credits {
        let request = V1.AskRequest(
            model: "demo-chat",
            turns: [V1.ChatTurn(role: "user", content: "Why is the sky blue?")], maxTokens: 64,
            requestId: requestID)
        return try await ChatServiceClient(client).ask(request, options: options) { events in
            var charged = Credits.zero
            for try await event in events {
                onEvent()
                switch event.event {
                case .done(let done): charged = Credits(micro: done.chargedMicroCredits)
                case .error(let error):
                    throw TollgateError(code: error.code, message: error.message)
                default: break
                }
            }
            return charged
        }
    }
}
