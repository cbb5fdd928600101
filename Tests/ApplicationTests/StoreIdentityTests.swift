import Application
import Auth
import TestSupport
import Testing
import TollgateKernel

@Suite struct StoreIdentityTests {
    @Test func `A store knows the key it was made with, and refuses every other`() async throws {
        try await TestBench.with { bench in
            var stranger = bench.ports
            stranger.identityKey = try #require(IdentityKey([UInt8](repeating: 8, count: 32)))
            // Whoever only looks leaves no mark.
            try await StoreIdentity(stranger).check(isOwner: false)
            for isOwner in [true, true, false] {
                try await StoreIdentity(bench.ports).check(isOwner: isOwner)
            }
            for isOwner in [true, false] {
                var code: Failure.Code?
                do {
                    try await StoreIdentity(stranger).check(isOwner: isOwner)
                } catch let failure as Failure {
                    code = failure.code
                }
                #expect(code == .internalError)
            }
        }
    }
}
