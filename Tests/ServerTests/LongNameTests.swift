import TestSupport
import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct LongNameTests {
    @Test func `A name that nothing can have is refused in few words`() async throws {
        try await ServerBench.with { world in
            let (token, _) = try await world.signIn()
            try await world.client("cli") { client in
                let options = CallOptions(authorization: token)
                let name = String(repeating: "x", count: 66_000)
                let errors = [
                    await error {
                        _ = try await OrdersServiceClient(client).placeOrder(
                            V1.PlaceOrderRequest(productKey: name, idempotencyKey: "1"),
                            options: options)
                    },
                    await error {
                        _ = try await ApiKeysServiceClient(client).createApiKey(
                            V1.CreateApiKeyRequest(name: "ci", models: [name]), options: options)
                    },
                ]
                #expect(errors.map { $0?.code } == ["not_found", "not_found"])
                #expect(errors.allSatisfy { ($0?.message.utf8.count ?? 0) < 100 })
            }
        }
    }
}
