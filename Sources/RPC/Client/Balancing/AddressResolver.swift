import Glibc
package import NIOCore
import NIOPosix
import Synchronization
import TollgateKernel

/// Turns names into numbers.
package protocol AddressResolver: Sendable {
    /// The addresses that a name stands for now; at least one, else the future fails.
    func resolve(_ target: ServerAddress, on eventLoop: any EventLoop)
        -> EventLoopFuture<[ServerAddress]>
}

/// Asks the system, as every other program on the machine would.
package struct SystemAddressResolver: AddressResolver {
    private let lookUps: LookUps

    /// Makes the resolver.
    package init() { lookUps = .shared }

    /// Makes a resolver that has its questions asked there.
    init(_ lookUps: LookUps) { self.lookUps = lookUps }

    package func resolve(
        _ target: ServerAddress, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[ServerAddress]> {
        if (try? SocketAddress(ipAddress: target.host, port: target.port)) != nil {
            return eventLoop.makeSucceededFuture([target])
        }
        // What the name stands for does not depend on the port, so the ports share a look-up.
        return lookUps.addresses(of: target, on: eventLoop).map { addresses in
            addresses.map {
                ServerAddress(host: $0.host, port: target.port, name: target.host)
            }
        }
    }

    fileprivate static func lookUp(_ target: ServerAddress) throws -> [ServerAddress] {
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

/// Has names looked up, each of them at most once at a time however many clients ask.
///
/// A name server that does not answer keeps getaddrinfo for many seconds. So it has threads of its
/// own: those of the singleton pool inflate and parse the payloads of calls that go well.
final class LookUps: Sendable {
    typealias LookUp = @Sendable (ServerAddress) throws -> [ServerAddress]
    private typealias Waiter = EventLoopPromise<[ServerAddress]>

    /// The process's own, as those who ask the same name servers are served best together.
    static let shared: LookUps = {
        let threads = NIOThreadPool(numberOfThreads: Limits.clientLookUpThreads)
        threads.start()
        return LookUps(threads) { try SystemAddressResolver.lookUp($0) }
    }()

    let threads: NIOThreadPool
    private let lookUp: LookUp
    private let waiters: Mutex<[String: [Waiter]]> = Mutex([:])

    /// Asks by `lookUp`, on threads that were started and may block.
    init(_ threads: NIOThreadPool, _ lookUp: @escaping LookUp) {
        self.threads = threads
        self.lookUp = lookUp
    }

    /// What a name stands for, with the port of whoever asked first.
    func addresses(
        of target: ServerAddress, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[ServerAddress]> {
        let waiter = eventLoop.makePromise(of: [ServerAddress].self)
        let isFirst = waiters.withLock { waiters in
            waiters[target.host, default: []].append(waiter)
            return waiters[target.host]?.count == 1
        }
        if isFirst { threads.submit { [self] _ in answer(target) } }
        return waiter.futureResult
    }

    private func answer(_ target: ServerAddress) {
        let result = Result { try lookUp(target) }
        let answered = waiters.withLock { $0.removeValue(forKey: target.host) } ?? []
        for waiter in answered { waiter.completeWith(result) }
    }
}

/// Why a name stands for no address.
struct UnknownHost: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String) { description = reason }
}
