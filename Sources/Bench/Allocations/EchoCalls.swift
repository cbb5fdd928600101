import Foundation
import Glibc
import TollgateClient
import TollgateKernel

/// Echoes by the product's client in a process of their own, so that what it allocates is known
/// from what its server does.
package struct EchoCalls: Sendable {
    /// The server's address.
    package var address: String
    /// What is called.
    package var variant: EchoVariant
    /// The connection's secret for ``EchoVariant/full``.
    package var credential: String?
    /// How many callers there are.
    package var callers: Int
    /// How many calls are counted, shared by the callers.
    package var calls: Int
    /// Our own program, whose functions name what allocates.
    package var program: String
    /// Where the counting library of this process counts; nil without one.
    package var tallyPath: String?

    /// What they came to.
    package struct Outcome: Sendable, Codable {
        /// Calls that were counted.
        package var count: Int
        /// How long they took.
        package var seconds: Double
        /// Allocations for each.
        package var allocations: Double
        /// Bytes of these for each.
        package var allocatedBytes: Double
        /// Where; empty unless it was asked.
        package var sites: [AllocationSite]
    }

    /// Describes calls; what counts them, if anything does, is in the environment.
    package init(
        address: String, variant: EchoVariant, credential: String?, callers: Int, calls: Int,
        program: String, environment: [String: String]
    ) {
        self.address = address
        self.variant = variant
        self.credential = credential
        self.callers = callers
        self.calls = calls
        self.program = program
        tallyPath = environment[AllocationTally.variable]
    }

    /// Warms up, counts, and looks where it was if `findsSites`.
    /// - Throws: A ``Failure`` if an answer is wrong.
    package func run(findsSites: Bool) async throws -> Outcome {
        let configuration = TollgateClientConfiguration(
            address: address, credential: variant == .full ? credential : nil)
        return try await withTollgateClient(configuration) { client in
            let caller = EchoCaller(variant: variant, client: client)
            _ = try await loop(caller, calls / 10)
            let tally = tallyPath.map { AllocationTally(at: $0) }
            let before = try tally?.counts()
            let measured = try await loop(caller, calls)
            let after = try tally?.counts()
            var outcome = Outcome(
                count: measured.count, seconds: Double(measured.elapsedNanoseconds) / 1e9,
                allocations: 0, allocatedBytes: 0, sites: [])
            guard let tally, let before, let after else { return outcome }
            outcome.allocations =
                Double((after - before).allocations) / Double(max(1, outcome.count))
            outcome.allocatedBytes = Double((after - before).bytes) / Double(max(1, outcome.count))
            guard findsSites else { return outcome }
            try tally.keepStacks(true)
            let kept = try await loop(caller, calls)
            try tally.keepStacks(false)
            outcome.sites = try await AllocationSites(process: getpid(), program: program).sites(
                of: try tally.stacks(), calls: Double(kept.count), series: variant.rawValue,
                side: "client")
            return outcome
        }
    }

    private func loop(_ caller: EchoCaller, _ calls: Int) async throws -> ClosedLoop.Outcome {
        try await ClosedLoop.run(
            callers: callers, seconds: Limits.benchRoundSeconds, most: calls,
            on: caller.client.executor
        ) { _, _ in try await caller.call() }
    }
}
