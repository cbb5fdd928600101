import Foundation
import TestSupport
import Testing

/// A server's clock is set while people hold, sign in and buy: an hour back, an hour on, a day on,
/// a day back.
@Suite struct ClockStepTests {
    @Test(.timeLimit(.minutes(10)), arguments: JobsBench.Engine.all)
    func `However the clock is set, money, codes, leases and orders keep their promises`(
        engine: JobsBench.Engine
    ) async throws {
        let seed =
            ProcessInfo.processInfo.environment["TOLLGATE_TEST_SEED"].flatMap(UInt64.init)
            ?? UInt64.random(in: 1 ... .max)
        print("ClockStepTests \(engine) seed \(seed)")
        // PostgreSQL takes longer for each, and keeps its promises by the same code.
        let operations = engine == .sqlite ? 10_000 : 4_000
        try await JobsBench.with(on: engine) { jobs in
            var life = try await SteppedLife(jobs, seed: seed)
            for number in 1...operations {
                try await life.play()
                if number.isMultiple(of: 500) { try await life.judge() }
            }
            try await life.finish()
            let seen = [
                "steps", "holds", "settled", "released", "ended before", "rate limited",
                "exhausted", "grants", "runs", "schedules put right", "codes", "redeemed",
                "refused codes", "sessions used", "sessions over", "signed out", "orders", "paid",
            ]
            for what in seen {
                #expect(life.tally[what, default: 0] > 0, "\(what): never, seed \(seed)")
            }
            print("ClockStepTests \(life.tally.sorted { $0.key < $1.key })")
        }
    }
}
