import Glibc
package import NIOCore
import NIOPosix
import TollgateKernel

/// Turns names into numbers.
package protocol AddressResolver: Sendable {
    /// The addresses that a name stands for now; at least one, else the future fails.
    func resolve(_ target: ServerAddress, on eventLoop: any EventLoop)
        -> EventLoopFuture<[ServerAddress]>
}

/// Asks the system, as every other program on the machine would.
package struct SystemAddressResolver: AddressResolver {
    /// Makes the resolver.
    package init() {}

    package func resolve(
        _ target: ServerAddress, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[ServerAddress]> {
        if (try? SocketAddress(ipAddress: target.host, port: target.port)) != nil {
            return eventLoop.makeSucceededFuture([target])
        }
        // getaddrinfo may wait for seconds: it has threads that may block.
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try Self.lookUp(target)
        }
    }

    private static func lookUp(_ target: ServerAddress) throws -> [ServerAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(target.host, nil, &hints, &list)
        guard status == 0 else {
            throw UnknownHost(String(cString: gai_strerror(status)))
        }
        defer { freeaddrinfo(list) }
        let addresses = addresses(in: list, of: target)
        guard !addresses.isEmpty else { throw UnknownHost("it has no address") }
        return addresses
    }

    /// What the system's answer holds, in its order, as far as a client takes addresses.
    static func addresses(
        in list: UnsafeMutablePointer<addrinfo>?, of target: ServerAddress
    ) -> [ServerAddress] {
        var addresses: [ServerAddress] = []
        var next = list
        while let entry = next, addresses.count < Limits.clientAddresses {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let failure = getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count),
                nil, 0, NI_NUMERICHOST)
            if failure == 0 {
                let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                let host = String(decoding: bytes, as: UTF8.self)
                addresses.append(
                    ServerAddress(host: host, port: target.port, name: target.host))
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }
}

/// Why a name stands for no address.
struct UnknownHost: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String) { description = reason }
}
