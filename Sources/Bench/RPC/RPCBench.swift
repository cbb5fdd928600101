import Foundation
import TollgateClient
import TollgateKernel
import TollgateWire

/// Measures unary echoes over a real socket against a server in a process of its own, beside a raw
/// epoll echo of frames of the same size, and the echoes of gRPC, Thrift and nginx where their
/// packages are installed.
///
/// Each variant is called by the product's own client, its callers where its connection lives
/// (`bare`) and in the shared pool of threads (`bare pool`), and by a load generator in C that
/// costs next to nothing (`bare press`): what a server costs a call beside it is its own cost.
package struct RPCBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// At how many callers on one connection.
    package var callers: [Int]
    /// Whether allocations are counted too, in servers and clients of their own.
    package var countsAllocations: Bool

    /// The best that bRPC's own client and server reached in the design's measurement, calls/s.
    package static let brpcCallsPerSecond = 66_000.0

    /// Makes the benchmark.
    package init(
        _ plan: BenchPlan, callers: [Int] = [1, 64], countsAllocations: Bool = false
    ) {
        self.plan = plan
        self.callers = callers
        self.countsAllocations = countsAllocations
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a program is missing or answers wrongly.
    package func run() async throws -> BenchReport {
        let frameBytes = try await FrameSize.ofEchoRequest()
        let raw = try plan.peers.path("raw-echo")
        let credential = UUID().uuidString
        let samples = try await ChildProcess.running(raw, ["serve"]) { peer in
            let peerAddress = try await peer.listeningAddress()
            return try await withServers(
                EchoVariant.allCases[...], credential: credential, running: []
            ) { servers in
                try await ForeignEcho.running(plan) { others in
                    var steps: [BenchPlan.Step] = []
                    for callers in callers {
                        steps.append(
                            rawStep(
                                peer, address: peerAddress, bytes: frameBytes, callers: callers))
                        steps += ours(servers, credential, callers, overHTTP: plan.peers)
                        steps += others.map { $0.step(plan, callers: callers) }
                    }
                    let closed = try await plan.samples(steps)
                    return closed + (try await plan.samples(paced(servers, credential, closed)))
                }
            }
        }
        var report = plan.report("rpc")
        report.samples = samples + (try await observation(credential))
        let counted = countsAllocations ? try await allocations(credential) : nil
        report.samples += counted?.samples ?? []
        report.allocationSites = counted?.sites ?? []
        report.settings["frameBytes"] = Double(frameBytes)
        report.skipped = ForeignEcho.skipped(plan)
        Self.judge(&report)
        return report
    }

    private func ours(
        _ servers: [EchoServer], _ credential: String, _ callers: Int, overHTTP peers: Peers
    ) -> [BenchPlan.Step] {
        servers.flatMap { server in
            var steps = [server.step(callers: callers)]
            if server.caller.variant == .bare {
                steps.append(server.step(callers: callers, inPool: true))
            }
            steps.append(server.pressed(plan, credential: credential, callers: callers))
            if server.caller.variant == .typed, peers.has("nginx-echo") {
                steps.append(server.overHTTP(plan, callers: callers))
            }
            return steps
        }
    }

    /// Half of what the full server answered in a closed loop, asked for in an open one: how long
    /// people wait of whom nobody waits for another.
    private func paced(
        _ servers: [EchoServer], _ credential: String, _ closed: [Sample]
    ) -> [BenchPlan.Step] {
        guard let callers = callers.max(), callers > 1,
            let server = servers.first(where: { $0.caller.variant == .full })
        else { return [] }
        let rates = closed.filter { $0.series == Series("full press", callers: callers) }
            .compactMap { $0.figures[Figure.perSecond] }
        guard let rate = Statistics.median(rates) else { return [] }
        return [server.paced(plan, credential: credential, callers: callers, rate: rate / 2)]
    }

    private func rawStep(
        _ server: ChildProcess, address: String, bytes: Int, callers: Int
    ) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("raw", callers: callers)) { seconds in
            try await server.addingServerTime {
                try await plan.peers.run(
                    "raw-echo", ["call", address, "\(bytes)", "\(callers)", "\(seconds)"]
                ).figures
            }
        }
    }

    /// Starts a server for each variant, one inside the other, and connects to each.
    func withServers<Value>(
        _ variants: ArraySlice<EchoVariant>, credential: String, running: [EchoServer],
        options: [String] = [], _ body: ([EchoServer]) async throws -> Value
    ) async throws -> Value {
        guard let variant = variants.first else { return try await body(running) }
        return try await ChildProcess.running(
            plan.program,
            ["bench", "serve", "--listen", "127.0.0.1:0", "--variant", variant.rawValue]
                + options,
            environment: ["TOLLGATE_BENCH_CREDENTIAL": credential]
        ) { process in
            let address = try await process.listeningAddress()
            let configuration = TollgateClientConfiguration(
                address: address, credential: variant == .full ? credential : nil)
            return try await withTollgateClient(configuration) { client in
                let server = EchoServer(
                    process: process, address: address,
                    caller: EchoCaller(variant: variant, client: client))
                return try await withServers(
                    variants.dropFirst(), credential: credential, running: running + [server],
                    options: options, body)
            }
        }
    }

    /// Fills in what is quoted, and what was to be reached.
    static func judge(_ report: inout BenchReport) {
        func median(_ name: String, _ callers: Int, _ figure: String) -> Double? {
            report.median(name, callers, figure)
        }
        var budgets: [Budget] = []
        var headlines: [String: Double] = [:]
        if let raw = median("raw", 1, Figure.p50), raw > 0 {
            for variant in EchoVariant.allCases {
                guard let ours = median(variant.rawValue, 1, Figure.p50) else { continue }
                headlines["\(variant.rawValue)RoundTripsOfRaw1"] = ours / raw
            }
        }
        if let ratio = headlines["bareRoundTripsOfRaw1"] {
            budgets.append(
                Budget("one caller, bare, round trips of raw", ratio, .atMost, 1.3, unit: "×"))
        }
        if let raw = median("raw", 64, Figure.perSecond), raw > 0,
            let ours = median("bare", 64, Figure.perSecond)
        {
            headlines["bareRateOfRaw64"] = ours / raw
            headlines["bareRateOfBRPC64"] = ours / brpcCallsPerSecond
            budgets.append(
                Budget(
                    "64 callers, bare, 1.3 × bRPC's best", ours, .atLeast,
                    1.3 * brpcCallsPerSecond, unit: "calls/s"))
        }
        for other in ForeignEcho.names {
            guard let theirs = median(other, 64, Figure.perSecond), theirs > 0 else { continue }
            let ours = median(other == "nginx" ? "typed http" : "bare", 64, Figure.perSecond)
            guard let ours else { continue }
            headlines["rateOf\(other.capitalized)64"] = ours / theirs
            if other == "grpc" {
                budgets.append(
                    Budget("64 callers, bare, of gRPC C++", ours / theirs, .atLeast, 4, unit: "×"))
            }
        }
        report.headlines = headlines
        report.budgets = budgets
        judgeCosts(&report)
    }

    /// The same of what a call costs in processor time and allocations, and of its slowest.
    private static func judgeCosts(_ report: inout BenchReport) {
        func median(_ name: String, _ figure: String) -> Double? { report.median(name, 64, figure) }
        var budgets: [Budget] = []
        var headlines: [String: Double] = [:]
        if let bare = median("bare press", Figure.serverCPU) {
            budgets.append(
                Budget("64 callers, bare, server CPU a call", bare, .atMost, 4.0, unit: "µs"))
        }
        if let full = median("full press", Figure.serverCPU) {
            budgets.append(
                Budget(
                    "64 callers, authenticated with deadlines and metrics, server CPU a call",
                    full, .atMost, 4.8, unit: "µs"))
        }
        if let quiet = median("quiet press", Figure.serverCPU), quiet > 0,
            let traced = median("traced press", Figure.serverCPU)
        {
            headlines["observedCPUOfQuiet64"] = traced / quiet
            budgets.append(
                Budget(
                    "64 callers, metrics and traces on, server CPU of without", traced / quiet,
                    .atMost, 1.05, unit: "×"))
        }
        for counted in report.medians {
            let (name, callers) = (counted.series.name, counted.series.callers)
            for (figure, side) in [
                (Figure.serverAllocations, "Server"), (Figure.clientAllocations, "Client"),
            ] {
                guard let variant = name.split(separator: " ").first,
                    let count = counted.figures[figure]
                else { continue }
                headlines["\(variant)\(side)Allocations\(callers)"] = count
            }
        }
        if let p99 = median("full half load", Figure.p99) {
            budgets.append(
                Budget("64 callers, full, p99 at half load", p99, .atMost, 1_000, unit: "µs"))
        }
        report.headlines.merge(headlines) { $1 }
        report.budgets += budgets
    }
}
