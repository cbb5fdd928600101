import TollgateKernel
package import TollgateWire

/// How a server encrypts, and whom it knows by certificate.
package struct ServerTLS: Hashable, Sendable {
    /// The server's certificate and those between it and its authority, as PEM.
    package var certificatePath: String

    /// The certificate's private key, as PEM.
    package var keyPath: String

    /// Authorities whose clients' certificates are believed, as PEM; nil asks for none.
    package var clientAuthoritiesPath: String?

    /// Which service a client is by a name in its certificate: its common name or a DNS name.
    ///
    /// A client with a certificate of another name shows a credential, like one without.
    package var roles: [String: ServiceRole] = [:]

    /// Whether a client without a certificate is refused in the handshake.
    package var requiresClientCertificate = false

    /// How often it is looked whether the files changed, in milliseconds.
    package var lookMilliseconds = Limits.rpcCertificateMilliseconds

    /// Names beside the bound address that HTTP requests may have for their host.
    package var hostNames: Set<String> = []

    /// Describes a server's certificate.
    package init(certificatePath: String, keyPath: String, clientAuthoritiesPath: String? = nil) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.clientAuthoritiesPath = clientAuthoritiesPath
    }

    /// The files that are read.
    var paths: [String] { [certificatePath, keyPath] + (clientAuthoritiesPath.map { [$0] } ?? []) }
}

/// How a client encrypts, and how it knows the server.
package struct ClientTLS: Hashable, Sendable {
    /// Authorities whose servers are believed, as PEM; nil believes the system's.
    package var authoritiesPath: String?

    /// The name in the server's certificate; nil takes the host that is connected to.
    ///
    /// A certificate
    /// of the address that is connected to is believed as well.
    package var serverName: String?

    /// The client's own certificate, as PEM; nil shows none.
    package var certificatePath: String?

    /// The private key of the client's certificate, as PEM.
    package var keyPath: String?

    /// Describes a client's part.
    package init(
        authoritiesPath: String? = nil, serverName: String? = nil, certificatePath: String? = nil,
        keyPath: String? = nil
    ) {
        self.authoritiesPath = authoritiesPath
        self.serverName = serverName
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}
