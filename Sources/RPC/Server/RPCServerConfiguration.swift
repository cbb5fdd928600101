package import Logging
import TollgateKernel

/// How a server listens and whom it admits.
package struct RPCServerConfiguration: Sendable {
    /// The address to listen on.
    ///
    /// Beyond loopback only with ``tls``, or if ``isInsecure`` says so. Nil listens nowhere: calls
    /// come from inside the process.
    package var host: String? = "127.0.0.1"

    /// The port; 0 has the kernel choose one.
    package var port = 7_400

    /// A Unix socket to listen on instead of ``host`` and ``port``; its owner alone may connect.
    package var socketPath: String?

    /// How calls are encrypted; nil is not at all.
    ///
    /// From this machine they may be plain either way.
    package var tls: ServerTLS?

    /// Allows listening beyond loopback although nothing is encrypted, and plain calls from other
    /// machines although there is a certificate.
    package var isInsecure = false

    /// Who may connect.
    package var credentials: Credentials

    /// What decides about calls after the methods' own facts, in order.
    package var interceptors: [any CallInterceptor] = []

    /// What the server shows over HTTP on the same port.
    package var pages = ServerPages()

    /// How many event loops share the connections.
    package var eventLoops = 1

    /// How long a drain waits for running calls before it cancels them, in milliseconds.
    package var drainGraceMilliseconds = Limits.rpcDrainGraceMilliseconds

    /// What the server bears.
    package var limits = ServerLimits()

    /// The largest body of a packet, in bytes.
    package var maximumBodyBytes = Limits.rpcBodyBytes

    /// When silent peers that know our extensions are asked to show that they live.
    package var keepalive = Keepalive()

    /// Where the server tells what happens to it.
    package var logger = Logger(label: "tollgate.rpc")

    /// Makes the usual configuration.
    package init(credentials: Credentials) { self.credentials = credentials }

    /// Who may connect.
    package enum Credentials: Sendable {
        /// Whoever this knows.
        case verified(by: any CredentialVerifier)
        /// Everybody, as nobody: for the benchmark's echo service alone. Methods that ask for a
        /// role cannot be called.
        case none
    }
}

/// Why a server did not start.
package enum RPCServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The address is not this machine's own, and nothing would be encrypted.
    case addressBeyondLoopback(String)
    /// A certificate or its key cannot be read, or they do not belong together.
    case certificateUnreadable(String)
    /// Two services have the same name.
    case duplicateService(String)
    /// The address is in use or not ours.
    ///
    /// The number is the system's, if it is what refused.
    case cannotListen(String, errorNumber: CInt?)

    package var description: String {
        switch self {
        case .addressBeyondLoopback(let host):
            "\(host) can be reached from other machines and calls would not be encrypted; "
                + "give a certificate and its key, listen on 127.0.0.1, or say --insecure."
        case .certificateUnreadable(let reason):
            "The certificate cannot be used: \(reason)."
        case .duplicateService(let name): "The service \(name) is registered twice."
        case .cannotListen(let reason, _): "The server cannot listen: \(reason)."
        }
    }
}
