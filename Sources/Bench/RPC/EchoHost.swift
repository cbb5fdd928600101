import NIOCore
import TollgateKernel
package import TollgateRPC
import TollgateWire

/// How much of the stack answers an echo.
package enum EchoVariant: String, Sendable, CaseIterable {
    /// A handler over bytes; nobody is verified.
    case bare
    /// The generated handler: the message is read and written.
    case typed
    /// The generated handler behind a verified credential and a role, with metrics kept.
    case full
}

/// Hosts `example.EchoService/Echo`, the service that bRPC's own examples and load tools call, on
/// the product's server; beside it services that stream.
package struct EchoHost: Sendable {
    /// How much of the stack answers.
    package var variant: EchoVariant
    /// The secret that connections have to show for ``EchoVariant/full``.
    package var credential: String
    /// Where to listen.
    package var host: String
    /// The port; 0 has the kernel choose.
    package var port: Int
    /// Metrics for the page of that name.
    package var metrics: (@Sendable () -> String)?
    /// Connections at once.
    package var connections = Limits.rpcConnections

    /// Describes a host.
    package init(
        variant: EchoVariant, credential: String = "", host: String = "127.0.0.1", port: Int = 0,
        metrics: (@Sendable () -> String)? = nil
    ) {
        self.variant = variant
        self.credential = credential
        self.host = host
        self.port = port
        self.metrics = metrics
    }

    /// The server, ready to run.
    /// - Throws: ``RPCServerError``, or a ``Failure`` if credentials are to be verified and none
    ///   is given.
    package func server() throws -> RPCServer {
        if variant == .full, credential.utf8.count < 16 {
            throw Failure(.invalidRequest, "The full variant needs a credential of 16 bytes.")
        }
        var configuration = RPCServerConfiguration(
            credentials: variant == .full
                ? .verified(by: OneCredential(secret: Array(credential.utf8))) : .none)
        configuration.host = host
        configuration.port = port
        configuration.limits.connections = connections
        if let metrics { configuration.pages.metrics = metrics }
        return try RPCServer(
            configuration,
            services: [
                variant == .bare ? Self.bytes : Echo().service, TickService.service,
                CancelService.service(),
            ])
    }

    /// The service over bytes: what comes goes back.
    private static var bytes: ServiceRegistration {
        ServiceRegistration(
            name: Methods.EchoService.echo.service,
            methods: [
                .raw(Methods.EchoService.echo) { payload, context in
                    if context.attachment.readableBytes > 0 {
                        context.setResponseAttachment(context.attachment)
                    }
                    return payload
                }
            ])
    }
}

/// The service over messages.
private struct Echo: EchoServiceHandlers {
    func echo(
        _ request: Example.EchoRequest, _ context: ServerCallContext
    ) async throws -> Example.EchoResponse {
        if context.attachment.readableBytes > 0 {
            context.setResponseAttachment(context.attachment)
        }
        return Example.EchoResponse(message: request.message)
    }
}

/// Knows one credential.
private struct OneCredential: CredentialVerifier {
    let secret: [UInt8]

    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        guard credential.count == secret.count else { return nil }
        var difference: UInt8 = 0
        for (left, right) in zip(credential, secret) { difference |= left ^ right }
        return difference == 0 ? ConnectionIdentity(name: "bench", role: .cli) : nil
    }
}
