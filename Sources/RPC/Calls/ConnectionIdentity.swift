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

/// Decides about a call before its handler runs, after the method's own facts were checked, and
/// sees how it ended.
///
/// Interceptors run in the call's task, in the order of the configuration before the handler and in
/// reverse after it; who refused a call, and those behind, do not see its end. What they call
/// inherits the call's deadline, as what its handler calls does.
package protocol CallInterceptor: Sendable {
    /// Throws if the call may not go on; a `Failure` crosses the wire as it is.
    func intercept(_ context: ServerCallContext) async throws

    /// The handler has ended after so long; `error` is nil if it went well.
    ///
    /// A unary answer has left by then; a stream's end, and an error, leave after it.
    func didServe(_ context: ServerCallContext, duration: Duration, error: (any Error)?) async
}

extension CallInterceptor {
    /// Takes no notice.
    package func didServe(
        _ context: ServerCallContext, duration: Duration, error: (any Error)?
    ) async {}
}
