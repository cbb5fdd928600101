import TollgateClient
import TollgateKernel
import TollgateWire

/// A server in a process of its own, and the client that calls it.
struct EchoServer: Sendable {
    let process: ChildProcess
    let address: String
    let caller: EchoCaller

    /// Calls by the product's own client.
    func step(callers: Int, inPool: Bool = false) -> BenchPlan.Step {
        let name = caller.variant.rawValue + (inPool ? " pool" : "")
        return BenchPlan.Step(series: Series(name, callers: callers)) { seconds in
            let clientBefore = Clocks.ownProcessorNanoseconds()
            return try await process.addingServerTime {
                let outcome = try await ClosedLoop.run(
                    callers: callers, seconds: seconds,
                    on: inPool ? nil : caller.client.executor
                ) { _, _ in try await caller.call() }
                var figures = outcome.figures
                let clientAfter = Clocks.ownProcessorNanoseconds()
                figures[Figure.clientCPU] =
                    Double(clientAfter - clientBefore) / 1_000 / Double(max(1, outcome.count))
                return figures
            }
        }
    }

    /// Calls by the load generator in C, all of them part of a trace if there is one.
    func pressed(
        _ plan: BenchPlan, as name: String? = nil, credential: String, callers: Int,
        trace: String? = nil
    ) -> BenchPlan.Step {
        let variant = caller.variant
        let name = name ?? variant.rawValue
        return BenchPlan.Step(series: Series("\(name) press", callers: callers)) { seconds in
            try await process.addingServerTime {
                try await plan.peers.run(
                    "rpc-press",
                    ["call", address, "\(callers)", "\(seconds)"]
                        + (variant == .full ? [credential] : [])
                        + [trace].compactMap { $0 }
                ).figures
            }
        }
    }

    /// The same echo as JSON over HTTP/1.1 on the same port, by wrk.
    func overHTTP(_ plan: BenchPlan, callers: Int) -> BenchPlan.Step {
        let method = Methods.EchoService.echo
        return BenchPlan.Step(series: Series("typed http", callers: callers)) { seconds in
            try await process.addingServerTime {
                try await plan.peers.run(
                    "nginx-echo",
                    [
                        "call", "\(address)/\(method.service)/\(method.name)", "\(callers)",
                        "\(seconds)",
                    ]
                ).figures
            }
        }
    }

    /// Calls that fall due at this rate, by the load generator in C.
    func paced(
        _ plan: BenchPlan, credential: String, callers: Int, rate: Double
    ) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("full half load", callers: callers)) { seconds in
            try await process.addingServerTime {
                var figures = try await plan.peers.run(
                    "rpc-press",
                    ["pace", address, "\(callers)", "\(seconds)", "\(rate)", credential]
                ).figures
                figures[Figure.offered] = rate
                return figures
            }
        }
    }
}
