import CLI
import TollgateClient

/// A server that nobody runs: the address is real, and nothing listens there.
struct Unreachable: ServerConnector {
    func withClient<Value: Sendable>(
        server: String, credential: String,
        _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value {
        // Port 1 (tcpmux) is below those that tests listen on, and nobody serves it.
        try await SocketConnector().withClient(
            server: "127.0.0.1:1", credential: credential, body)
    }
}
