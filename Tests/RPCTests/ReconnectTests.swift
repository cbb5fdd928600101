import Synchronization
import Testing
import TollgateKernel

@testable import TollgateRPC

/// How soon a client tries again to connect.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ReconnectTests {
    @Test func `pauses double up to a bound, and half of each is random`() {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        var whole = Limits.rpcReconnectPauseMilliseconds
        for failures in 1...100 {
            let pauses = (0..<500).map { _ in
                SocketTransport.pauseMilliseconds(afterFailures: failures, using: &random)
            }
            let (least, most) = (pauses.min() ?? 0, pauses.max() ?? 0)
            #expect(least >= whole / 2 && most <= whole, "seed \(seed): \(least)...\(most)")
            // Both ends of the half are reached, and clients are spread between them.
            #expect(least <= whole * 5 / 8 && most >= whole * 7 / 8, "seed \(seed)")
            #expect(Set(pauses).count > 10, "seed \(seed)")
            whole = min(whole * 2, Limits.rpcReconnectPauseMaximumMilliseconds)
        }
    }

    @Test func `without a word of the test two clients pause differently`() {
        let pauses = (0..<100).map { _ in SocketTransport.pauseMilliseconds(afterFailures: 20) }
        #expect(Set(pauses).count > 1)
    }

    @Test func `failures are counted until a connection is made, and then anew`() async throws {
        let asked = Mutex<[Int]>([])
        let port = try await withRPCServer(testConfiguration(), services: []) {
            try #require(try await $0.address).port
        }
        let transport = SocketTransport(
            .address(host: "127.0.0.1", port: port), credential: Array("web".utf8),
            pauseMilliseconds: { failures in
                asked.withLock { $0.append(failures) }
                return 0
            })
        for _ in 0..<3 {
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
            #expect(error?.code == RPCError.Code.connectionRefused)
        }
        #expect(asked.withLock { $0 } == [1, 2, 3])
        let configuration = testConfiguration { $0.port = port }
        try await withRPCServer(configuration, services: testServices(Events())) { _ in
            let answer = try await transport.answer(call(TestMethods.echo, [7]))
            #expect(answer == [7])
        }
        // The loss of what was made counts as one, and what fails after it begins anew.
        while asked.withLock({ $0.count }) < 6 {
            _ = await errorOf { _ = try await transport.answer(call(TestMethods.echo)) }
        }
        #expect(asked.withLock { $0 } == [1, 2, 3, 1, 1, 2])
        await transport.close()
        #expect(await transport.population == ClientPopulation())
    }
}
