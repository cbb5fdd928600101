/// What it costs to look on: metrics that are kept, and traces that go through.
extension RPCBench {
    /// A trace as a caller's first span begins it.
    private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    /// The full server with its metrics and with a trace in every request, beside one that keeps no
    /// metrics and is sent no trace; credential, role and deadlines are the same.
    func observation(_ credential: String) async throws -> [Sample] {
        guard let callers = callers.max(), callers > 1 else { return [] }
        return try await withServers([.full], credential: credential, running: []) { observed in
            try await withServers(
                [.full], credential: credential, running: [], options: ["--no-metrics"]
            ) { quiet in
                try await plan.samples(
                    quiet.map {
                        $0.pressed(plan, as: "quiet", credential: credential, callers: callers)
                    }
                        + observed.map {
                            $0.pressed(
                                plan, as: "traced", credential: credential, callers: callers,
                                trace: Self.trace)
                        })
            }
        }
    }
}
