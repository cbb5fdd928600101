import NIOCore

/// Whose connections are counted together.
enum PeerAddress: Hashable, Sendable {
    /// A process of this machine, over a Unix socket or inside this process.
    case local
    /// This machine, over its own network.
    case loopback
    /// An IPv4 address, or an IPv6 network of 64 bits: one customer of a provider has at least
    /// that.
    case network([UInt8])

    init(_ address: SocketAddress?) {
        switch address {
        case nil, .unixDomainSocket?: self = .local
        case .v4(let address)?:
            // sockaddr_in: family and port in four bytes, then the address.
            let bytes = withUnsafeBytes(of: address.address) { Array($0[4..<8]) }
            self = Self.v4(bytes)
        case .v6(let address)?:
            // sockaddr_in6: family, port and flow in eight bytes, then the address.
            let bytes = withUnsafeBytes(of: address.address) { Array($0[8..<24]) }
            self = Self.v6(bytes)
        }
    }

    private static func v4(_ bytes: [UInt8]) -> PeerAddress {
        bytes.first == 127 ? .loopback : .network(bytes)
    }

    private static func v6(_ bytes: [UInt8]) -> PeerAddress {
        let beginning = bytes.prefix(10)
        if beginning.allSatisfy({ $0 == 0 }) {
            if bytes[10..<12].elementsEqual([0xff, 0xff]) { return v4(Array(bytes[12...])) }
            if bytes[10..<15].allSatisfy({ $0 == 0 }), bytes[15] == 1 { return .loopback }
        }
        return .network(Array(bytes.prefix(8)))
    }

    /// Whether the peer is on this machine.
    var isOnThisMachine: Bool {
        switch self {
        case .local, .loopback: true
        case .network: false
        }
    }
}
