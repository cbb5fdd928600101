import Application
import Auth
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel
import Weixin

@Suite struct SweepsTests {
    @Test func `Everything dead is forgotten in one run, however much has gathered`() async throws {
        try await TestBench.with { bench in
            let now = bench.clock.now()
            let fence = JobFence(job: "hold-expire", fencingToken: 0)
            try await bench.store.write { tx in
                try tx.jobs.insertIfNew(
                    JobRecord(
                        name: fence.job, nextDueAt: now, fencingToken: 0, holder: "", heartbeat: 0))
                for number in 0..<40 as Range<UInt8> {
                    let code = LoginCode(
                        digest: [UInt8](repeating: number, count: 32), openID: "o_\(number)",
                        expiresAt: now.adding(milliseconds: 1_000))
                    _ = try tx.auth.insert(code, now: now)
                }
                for number in 0..<13 as Range<UInt8> {
                    guard
                        let scene = LoginScene(
                            randomBytes: [UInt8](repeating: number, count: 16))
                    else { throw Failure(.internalError, "no scene") }
                    let digest = [UInt8](repeating: number, count: 32)
                    try tx.loginAttempts.insert(
                        LoginAttempt(
                            scene: scene, secretDigest: digest, source: digest, device: "",
                            createdAt: now, expiresAt: now.adding(milliseconds: 1_000)))
                }
                for number in 0..<25 {
                    try tx.pushes.insert(
                        ReceivedPush(
                            key: "message:\(number)", answer: "hint", codeAttempt: 0,
                            receivedAt: now))
                }
            }
            let sweeps = Sweeps(bench.ports)
            #expect(try await sweeps.forget(limit: 9, fence: fence) == 0)
            bench.clock.advance(milliseconds: Limits.pushMemoryMilliseconds + 1)
            #expect(try await sweeps.forget(limit: 9, fence: fence) == 78)
            #expect(try await sweeps.forget(limit: 9, fence: fence) == 0)
        }
    }
}
