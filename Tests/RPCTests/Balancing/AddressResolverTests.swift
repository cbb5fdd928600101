import Glibc
import NIOCore
import NIOPosix
import Testing
import TollgateKernel

@testable import TollgateRPC

/// Names as the system knows them.
@Suite(.timeLimit(.minutes(1))) struct AddressResolverTests {
    private func resolve(_ host: String) async throws -> [ServerAddress] {
        try await SystemAddressResolver().resolve(
            ServerAddress(host: host, port: 7_400),
            on: MultiThreadedEventLoopGroup.singleton.any()
        ).get()
    }

    @Test func `a name stands for numbers, which keep its port and bear it`() async throws {
        let addresses = try await resolve("localhost")
        #expect(!addresses.isEmpty)
        for address in addresses {
            #expect(["127.0.0.1", "::1"].contains(address.host))
            #expect(address.port == 7_400)
            #expect(address.name == "localhost")
        }
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `a number stands for itself and has no name`(host: String) async throws {
        #expect(try await resolve(host) == [ServerAddress(host: host, port: 7_400)])
    }

    @Test func `a name that stands for nothing says why`() async {
        let error = await #expect(throws: UnknownHost.self) {
            try await resolve("no-such-host.invalid")
        }
        // In the system's words, which are of its language and not ours.
        #expect(error?.description.isEmpty == false)
    }

    @Test func `every address of a name is taken, up to as many as a client has`() {
        let few = ["10.0.0.2", "::2", "10.0.0.1"]
        let many = (1...Limits.clientAddresses + 1).map { "10.0.0.\($0)" }
        for hosts in [few, many] {
            let list = answer(hosts)
            defer { freeaddrinfo(list) }
            let target = ServerAddress(host: "servers.test", port: 7_400)
            let addresses = SystemAddressResolver.addresses(in: list, of: target)
            #expect(addresses.map(\.host) == Array(hosts.prefix(Limits.clientAddresses)))
            #expect(addresses.allSatisfy { $0.name == "servers.test" && $0.port == 7_400 })
        }
    }

    /// What the system would answer for a name that stands for these numbers.
    private func answer(_ hosts: [String]) -> UnsafeMutablePointer<addrinfo>? {
        var first: UnsafeMutablePointer<addrinfo>?
        for host in hosts.reversed() {
            var hints = addrinfo()
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
            hints.ai_flags = AI_NUMERICHOST
            var entry: UnsafeMutablePointer<addrinfo>?
            #expect(getaddrinfo(host, nil, &hints, &entry) == 0)
            entry?.pointee.ai_next = first
            first = entry
        }
        return first
    }
}
