import Application
import Auth
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Logins by QR code that lead nowhere write nothing, so that they are in nobody's way.
@Suite struct WritelessLoginTests {
    @Test(arguments: Engine.all)
    func `what is refused before anything has to be counted asks for no write`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let bench = try TestBench(over: store)
            let writes = CutStore(store) { _ in false }
            var ports = bench.ports
            ports.store = writes
            let logins = ScanLogin(
                ports, officialAccount: ScriptedMessages(), monotonic: SystemMonotonicClock())
            @Sendable func begin(_ source: String) async throws -> LoginAttemptSecret {
                try await logins.begin(source: source, device: "d").secret
            }
            let secret = try await begin("one")
            for _ in 1..<Limits.loginAttemptsOfSource { _ = try await begin("one") }
            let unknown = try #require(
                LoginAttemptSecret(
                    randomBytes: [UInt8](repeating: 9, count: SessionToken.secretBytes)))
            let before = writes.writes
            for _ in 0..<3 {
                #expect(await Ending { _ = try await begin("one") } == .failure(.rateLimited))
                #expect(
                    await Ending { _ = try await logins.redeem(secret) } == .failure(.conflict))
                #expect(
                    await Ending { _ = try await logins.redeem(unknown) }
                        == .failure(.unauthenticated))
                try await logins.cancel(unknown)
            }
            #expect(writes.writes == before)
            // What changes something is written, once.
            _ = try await begin("another")
            for _ in 0..<3 { try await logins.cancel(secret) }
            #expect(writes.writes == before + 2)
            bench.clock.advance(milliseconds: Limits.loginAttemptMilliseconds)
            _ = try await begin("one")
        }
    }
}
