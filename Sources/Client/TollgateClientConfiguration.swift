import TollgateKernel
import TollgateRPC

/// Where a server is and who calls it.
public struct TollgateClientConfiguration: Hashable, Sendable {
    /// The server's host and port, such as `127.0.0.1:7400` or `[::1]:7400`, or a Unix socket, such
    /// as `unix:/run/tollgate.sock`.
    public var address: String

    /// The service's credential; it says which methods may be called.
    public var credential: String?

    /// How connections are encrypted; nil is not at all.
    ///
    /// A Unix socket needs none.
    public var tls: TollgateClientTLS?

    /// Makes a configuration.
    public init(
        address: String = "127.0.0.1:7400", credential: String? = nil,
        tls: TollgateClientTLS? = nil
    ) {
        self.address = address
        self.credential = credential
        self.tls = tls
    }

    /// The address in its two parts.
    /// - Throws: ``TollgateError`` if it is none.
    func endpoint() throws -> SocketTransport.Endpoint {
        if address.hasPrefix("unix:") {
            let path = String(address.dropFirst(5))
            guard !path.isEmpty else {
                throw TollgateError(.init(.invalidRequest, "\(address) names no socket."))
            }
            return .unix(path: path)
        }
        guard let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...]), (1...65_535).contains(port)
        else { throw TollgateError(.init(.invalidRequest, "\(address) is no host and port.")) }
        var host = address[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else {
            throw TollgateError(.init(.invalidRequest, "\(address) names no host."))
        }
        return .address(host: String(host), port: port)
    }
}

extension TollgateClient {
    /// Makes a client; it connects when the first call needs it, and again after a loss.
    /// - Throws: ``TollgateError`` if the address is none.
    public convenience init(_ configuration: TollgateClientConfiguration) throws {
        self.init(
            transport: SocketTransport(
                try configuration.endpoint(),
                credential: configuration.credential.map { Array($0.utf8) },
                tls: configuration.tls?.settings))
    }
}

/// Makes a client, lends it to `body`, and closes it.
/// - Throws: ``TollgateError`` if the address is none, or what `body` throws.
public func withTollgateClient<Result>(
    _ configuration: TollgateClientConfiguration,
    _ body: (TollgateClient) async throws -> Result
) async throws -> Result {
    let client = try TollgateClient(configuration)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}
