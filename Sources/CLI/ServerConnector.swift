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
    private let tls: TollgateClientTLS?

    /// Makes a connector; connections are encrypted as `TOLLGATE_TLS_CA` and its like say.
    package init(variables: [String: String] = [:]) {
        func value(_ name: String) -> String? {
            variables["TOLLGATE_TLS_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
        }
        guard let authorities = value("CA") else {
            tls = nil
            return
        }
        tls = TollgateClientTLS(
            authoritiesPath: authorities == "system" ? nil : authorities,
            serverName: value("SERVER_NAME"), certificatePath: value("CERTIFICATE"),
            keyPath: value("KEY"))
    }

    package func withClient<Value: Sendable>(
        server: String, credential: String,
        _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value {
        let configuration = TollgateClientConfiguration(
            address: server, credential: credential, tls: tls)
        return try await withTollgateClient(configuration) { client in try await body(client) }
    }
}
