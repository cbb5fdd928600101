import Foundation
import TollgateKernel

/// Allocations of a call, counted in servers and clients that do nothing else.
extension RPCBench {
    /// What was counted.
    struct Allocations: Sendable {
        var samples: [Sample] = []
        var sites: [AllocationSite] = []
    }

    /// Counts each call's allocations with a handler over bytes and with everything.
    func allocations(_ credential: String) async throws -> Allocations {
        let library = try plan.peers.path(AllocationTally.peer)
        // The loader looks for a bare name in its own folders.
        let path = URL(fileURLWithPath: library).path
        return try await plan.withFolder { folder in
            var result = Allocations()
            for variant in [EchoVariant.bare, .full] {
                let counted = try await count(variant, credential, library: path, folder: folder)
                result.samples += counted.samples
                result.sites += counted.sites
            }
            return result
        }
    }

    private func count(
        _ variant: EchoVariant, _ credential: String, library: String, folder: String
    ) async throws -> Allocations {
        let tally = try AllocationTally(in: folder)
        let environment = ["TOLLGATE_BENCH_CREDENTIAL": credential]
        return try await ChildProcess.running(
            plan.program,
            ["bench", "serve", "--listen", "127.0.0.1:0", "--variant", variant.rawValue],
            environment: environment.merging(tally.environment(library)) { $1 }
        ) { server in
            let address = try await server.listeningAddress()
            let press = Press(
                plan: plan, address: address, credential: variant == .full ? credential : nil)
            var result = Allocations()
            for callers in callers {
                plan.progress("counting allocations: \(variant.rawValue), \(callers) callers")
                let isLast = callers == self.callers.max()
                var figures = try await press.figures(callers: callers, tally)
                let client = try await clients(
                    variant, address, callers, environment, findsSites: isLast, library, folder)
                figures[Figure.clientAllocations] = client.allocations
                figures[Figure.clientAllocatedBytes] = client.allocatedBytes
                result.samples.append(
                    Sample(
                        series: Series("\(variant.rawValue) counted", callers: callers), round: 1,
                        figures: figures))
                guard isLast else { continue }
                try tally.keepStacks(true)
                let calls = try await press.calls(callers, Limits.benchStackSeconds)
                try tally.keepStacks(false)
                result.sites += try await AllocationSites(
                    process: server.identifier, program: plan.program
                ).sites(
                    of: try tally.stacks(), calls: calls, series: variant.rawValue, side: "server")
                result.sites += client.sites
            }
            return result
        }
    }

    /// Calls by the product's client in a counted process.
    private func clients(
        _ variant: EchoVariant, _ address: String, _ callers: Int, _ environment: [String: String],
        findsSites: Bool, _ library: String, _ folder: String
    ) async throws -> EchoCalls.Outcome {
        let tally = try AllocationTally(in: folder)
        let text = try await ChildProcess(
            plan.program,
            [
                "bench", "call", "--server", address, "--variant", variant.rawValue, "--callers",
                "\(callers)", "--calls", "\(Limits.benchCountedCalls)",
            ] + (findsSites ? ["--sites"] : []),
            environment: environment.merging(tally.environment(library)) { $1 }
        ).result()
        do {
            return try JSONDecoder().decode(EchoCalls.Outcome.self, from: Data(text.utf8))
        } catch {
            throw Failure(.internalError, "A counted client told no figures: \(error).")
        }
    }
}

/// The load generator in C at a counted server.
private struct Press {
    let plan: BenchPlan
    let address: String
    let credential: String?

    /// Warms up, then counts over enough calls.
    func figures(callers: Int, _ tally: AllocationTally) async throws -> [String: Double] {
        _ = try await calls(callers, Limits.benchWarmUpSeconds)
        let before = try tally.counts()
        var count = 0.0
        while count < Double(Limits.benchCountedCalls) {
            count += try await calls(callers, plan.seconds)
        }
        let counted = try tally.counts() - before
        return [
            Figure.count: count,
            Figure.serverAllocations: Double(counted.allocations) / count,
            Figure.serverAllocatedBytes: Double(counted.bytes) / count,
        ]
    }

    /// Calls for so long; how many there were.
    func calls(_ callers: Int, _ seconds: Double) async throws -> Double {
        try await plan.peers.run(
            "rpc-press",
            ["call", address, "\(callers)", "\(seconds)"] + [credential].compactMap { $0 }
        ).count
    }
}
