package import TollgateWire

/// Who is at the other end of a connection, by its credential.
package struct ConnectionIdentity: Hashable, Sendable {
    /// The credential's name, for logs and metrics.
    package let name: String
    /// Which service it is.
    package let role: ServiceRole

    /// Makes an identity.
    package init(name: String, role: ServiceRole) {
        self.name = name
        self.role = role
    }
}

/// Checks the credential that a connection's first request carries.
package protocol CredentialVerifier: Sendable {
    /// Whose credential it is; nil if it is nobody's. Must compare in constant time.
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity?
}

/// Decides about a call before its handler runs, after the method's own facts were checked.
package protocol CallInterceptor: Sendable {
    /// Throws if the call may not go on; a `Failure` crosses the wire as it is.
    func intercept(_ context: ServerCallContext) async throws
}
