package import TollgateClient

/// Opens a client to a server while a command needs it.
package protocol ServerConnector: Sendable {
    /// Lends a client to `body`.
    func withClient<Value: Sendable>(
        server: String, credential: String,
        _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value
}

/// Reaches servers over the network.
package struct SocketConnector: ServerConnector {
    /// Makes a connector; it has no state.
    package init() {}

    package func withClient<Value: Sendable>(
        server: String, credential: String,
        _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value {
        let configuration = TollgateClientConfiguration(address: server, credential: credential)
        return try await withTollgateClient(configuration) { client in try await body(client) }
    }
}
