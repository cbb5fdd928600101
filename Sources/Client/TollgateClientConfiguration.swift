import TollgateKernel
import TollgateRPC

/// Where the servers are and who calls them.
public struct TollgateClientConfiguration: Sendable {
    /// The servers' hosts and ports, with commas between them, or one Unix socket.
    ///
    /// Such as `127.0.0.1:7400`, `[::1]:7400`, `a:7400,b:7400` or `unix:/run/tollgate.sock`. A name
    /// may stand for several addresses; names are resolved again every half minute.
    public var address: String

    /// The service's credential; it says which methods may be called.
    public var credential: String?

    /// How connections are encrypted; nil is not at all.
    ///
    /// A Unix socket needs none.
    public var tls: TollgateClientTLS?

    /// How calls are spread over several addresses.
    public var balancing = Balancing.leastLatency

    /// Connections to each address, from 1 to 16; further ones are made while all have calls.
    ///
    /// One carries thousands of calls. More help if messages are large.
    public var connectionsPerAddress = 1

    /// What sees each call before it leaves and after it ended, in order.
    public var interceptors: [any ClientInterceptor] = []

    /// How calls are spread over several addresses; calls with a
    /// ``CallOptions/affinityKey`` keep to the key's address.
    public enum Balancing: Hashable, Sendable {
        /// Of two random addresses the one with less latency times calls in flight.
        case leastLatency
        /// One after the other.
        case roundRobin
    }

    /// Makes a configuration.
    public init(
        address: String = "127.0.0.1:7400", credential: String? = nil,
        tls: TollgateClientTLS? = nil
    ) {
        self.address = address
        self.credential = credential
        self.tls = tls
    }

    /// The addresses, as they are written.
    /// - Throws: ``TollgateError`` if one of them is none.
    func targets() throws -> [ServerAddress] {
        let parts = address.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Limits.clientAddresses else {
            throw TollgateError(
                .init(
                    .invalidRequest,
                    "\(parts.count) addresses are more than \(Limits.clientAddresses)."))
        }
        return try parts.map { part in
            let spaces = part.drop { $0 == " " }
            guard let target = ServerAddress(spaces) else {
                throw TollgateError(
                    .init(.invalidRequest, "\(part) is no host and port, such as 127.0.0.1:7400."))
            }
            return target
        }
    }

    /// The path of the Unix socket, if the address is one.
    private var socketPath: String? {
        address.hasPrefix("unix:") ? String(address.dropFirst(5)) : nil
    }

    /// The transport to these servers, and the same as a cluster if their addresses are watched.
    ///
    /// Connections live where `executor` runs tasks, unless there are several to an address.
    /// - Throws: ``TollgateError`` if an address is none, or there are too many connections.
    func transport(
        _ executor: LoopExecutor
    ) throws -> (transport: any ClientTransport, cluster: ClusterTransport?) {
        let home = connectionsPerAddress == 1 ? executor : nil
        guard (1...Limits.clientConnectionsPerAddress).contains(connectionsPerAddress) else {
            throw TollgateError(
                .init(
                    .invalidRequest,
                    "There are 1 to \(Limits.clientConnectionsPerAddress) connections to an "
                        + "address, not \(connectionsPerAddress)."))
        }
        let credential = credential.map { Array($0.utf8) }
        if let path = socketPath {
            guard !path.isEmpty else {
                throw TollgateError(.init(.invalidRequest, "\(address) names no socket."))
            }
            let socket = SocketTransport(
                .unix(path: path), credential: credential, tls: tls?.settings,
                executor: executor)
            return (socket, nil)
        }
        let cluster = ClusterTransport(
            try targets(),
            strategy: balancing == .roundRobin ? .roundRobin : .leastLatency,
            connectionsPerAddress: connectionsPerAddress
        ) { [tls] address in
            var settings = tls?.settings
            // A certificate bears the name that was resolved, not the number it stands for.
            if settings?.serverName == nil { settings?.serverName = address.name }
            return SocketTransport(
                .address(host: address.host, port: address.port), credential: credential,
                tls: settings, executor: home)
        }
        return (cluster, cluster)
    }
}

extension TollgateClient {
    /// Makes a client; it connects when the first call needs it, and again after a loss.
    ///
    /// Run ``run()`` beside it if there are several addresses.
    /// - Throws: ``TollgateError`` if an address is none.
    public convenience init(_ configuration: TollgateClientConfiguration) throws {
        let executor = LoopExecutor()
        let (transport, cluster) = try configuration.transport(executor)
        self.init(
            transport: transport, cluster: cluster, interceptors: configuration.interceptors,
            executor: executor)
    }
}

/// Makes a client, lends it to `body` while addresses are watched, and closes it.
///
/// When it returns, every connection is closed and no task is left.
/// - Throws: ``TollgateError`` if an address is none, or what `body` throws.
public func withTollgateClient<Result>(
    _ configuration: TollgateClientConfiguration,
    _ body: (TollgateClient) async throws -> Result
) async throws -> Result {
    let client = try TollgateClient(configuration)
    // Ends with the client's close at the latest.
    async let watching: Void = client.run()
    do {
        let result = try await body(client)
        await client.close()
        await watching
        return result
    } catch {
        await client.close()
        await watching
        throw error
    }
}
