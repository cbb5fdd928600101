import NIOCore

/// Where a server listens.
package struct ListeningAddress: Hashable, Sendable, CustomStringConvertible {
    /// The IP address; empty for a Unix socket.
    package let host: String
    /// The port, also if the kernel chose it; 0 for a Unix socket.
    package let port: Int
    /// The path of a Unix socket.
    package let path: String?

    /// The address as clients take it, such as `127.0.0.1:7400` or `unix:/run/tollgate.sock`.
    package var description: String {
        if let path { return "unix:\(path)" }
        return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    init?(_ channel: any Channel) {
        if case .unixDomainSocket? = channel.localAddress, let path = channel.localAddress?.pathname
        {
            (host, port, self.path) = ("", 0, path)
            return
        }
        guard let address = channel.localAddress, let host = address.ipAddress,
            let port = address.port
        else { return nil }
        self.host = host
        self.port = port
        path = nil
    }

    /// Whether a name or address can only be reached from this machine.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" { return true }
        // A name may begin like an address, and lead anywhere.
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
        return PeerAddress(address) == .loopback
    }
}
