import TollgateKernel

/// The echo of another system, its server running in a process of its own.
struct ForeignEcho: Sendable {
    /// The systems that are measured where their packages are installed.
    static let names = ["grpc", "thrift", "nginx"]
    /// The Debian packages of each.
    private static let packages = [
        "grpc": "libgrpc++-dev protobuf-compiler-grpc",
        "thrift": "libthrift-dev thrift-compiler libboost-dev libevent-dev",
        "nginx": "nginx wrk",
    ]

    /// What is said of a system that is not built.
    static func skipped(_ name: String) -> String {
        "SKIPPED: \(name); to be measured beside it: apt-get install \(packages[name] ?? name), "
            + "then Benchmarks/peers/build (make bench does both)."
    }

    /// What is said of all that are not built.
    static func skipped(_ plan: BenchPlan) -> [String] {
        names.filter { !plan.peers.has("\($0)-echo") }.map(skipped)
    }

    let name: String
    let process: ChildProcess
    let address: String

    /// Starts those that are built, one inside the other; says who is left out.
    static func running<Value>(
        _ plan: BenchPlan, _ names: ArraySlice<String> = names[...], started: [ForeignEcho] = [],
        _ body: ([ForeignEcho]) async throws -> Value
    ) async throws -> Value {
        guard let name = names.first else { return try await body(started) }
        guard plan.peers.has("\(name)-echo") else {
            plan.progress(skipped(name))
            return try await running(plan, names.dropFirst(), started: started, body)
        }
        return try await ChildProcess.running(
            try plan.peers.path("\(name)-echo"), ["serve"]
        ) { process in
            let echo = ForeignEcho(
                name: name, process: process, address: try await process.listeningAddress())
            return try await running(
                plan, names.dropFirst(), started: started + [echo], body)
        }
    }

    /// A closed loop of the system's own client on one connection; of nginx as many connections as
    /// callers, since HTTP/1.1 answers one request after the other.
    func step(_ plan: BenchPlan, callers: Int) -> BenchPlan.Step {
        let target = name == "nginx" ? "\(address)/" : address
        return BenchPlan.Step(series: Series(name, callers: callers)) { seconds in
            try await process.addingServerTime {
                try await plan.peers.run(
                    "\(name)-echo", ["call", target, "\(callers)", "\(seconds)"]
                ).figures
            }
        }
    }
}
