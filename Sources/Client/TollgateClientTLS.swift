import TollgateRPC

/// How a client encrypts its connections, and how it knows the server.
///
/// Files are PEM, and are read again for each connection: replaced ones need no restart.
public struct TollgateClientTLS: Hashable, Sendable {
    /// Authorities whose servers are believed; nil believes those of the system.
    public var authoritiesPath: String?

    /// The name in the server's certificate; nil takes the host of the address.
    public var serverName: String?

    /// The client's own certificate, for servers that know services by it; nil shows none.
    public var certificatePath: String?

    /// The private key of the client's certificate; nil looks for it in the certificate's file.
    public var keyPath: String?

    /// Makes a configuration that believes the system's authorities.
    public init(
        authoritiesPath: String? = nil, serverName: String? = nil, certificatePath: String? = nil,
        keyPath: String? = nil
    ) {
        self.authoritiesPath = authoritiesPath
        self.serverName = serverName
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }

    var settings: ClientTLS {
        ClientTLS(
            authoritiesPath: authoritiesPath, serverName: serverName,
            certificatePath: certificatePath, keyPath: keyPath)
    }
}
