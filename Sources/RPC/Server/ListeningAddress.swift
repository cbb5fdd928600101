import NIOCore

/// Where a server listens.
package struct ListeningAddress: Hashable, Sendable, CustomStringConvertible {
    /// The IP address.
    package let host: String
    /// The port, also if the kernel chose it.
    package let port: Int

    /// The address as clients take it, such as `127.0.0.1:7400`.
    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    init?(_ channel: any Channel) {
        guard let address = channel.localAddress, let host = address.ipAddress,
            let port = address.port
        else { return nil }
        self.host = host
        self.port = port
    }

    /// Whether a name or address can only be reached from this machine.
    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }
}
