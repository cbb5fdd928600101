import NIOCore
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Measures echoes of large attachments over a real socket against a server in a process of its
/// own, beside a C program that sends messages of the same size there and back by TCP alone.
///
/// Both hold as many messages in flight, on one connection, and send one back when it is whole.
package struct AttachmentsBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// At how many callers on one connection.
    package var callers: [Int]
    /// How long an attachment is.
    package var bytes: Int

    /// The part of raw TCP's throughput that is to be reached.
    package static let budgetOfRaw = 0.7

    /// Makes the benchmark.
    package init(_ plan: BenchPlan, callers: [Int] = [1, 4], bytes: Int = 1_048_576) {
        self.plan = plan
        self.callers = callers
        self.bytes = bytes
    }

    /// Measures.
    /// - Throws: A ``Failure`` if a program is missing or an answer is wrong.
    package func run() async throws -> BenchReport {
        var report = plan.report("attachments")
        report.settings["attachmentBytes"] = Double(bytes)
        let bulk = try plan.peers.path("bulk-echo")
        report.samples = try await ChildProcess.running(bulk, ["serve", "\(bytes)"]) { peer in
            let peerAddress = try await peer.listeningAddress()
            return try await ChildProcess.running(
                plan.program, ["bench", "serve", "--listen", "127.0.0.1:0", "--variant", "bare"]
            ) { server in
                let caller = try AttachmentCaller(
                    address: try await server.listeningAddress(), bytes: bytes)
                let steps = callers.flatMap { callers in
                    [
                        raw(peer, address: peerAddress, callers: callers),
                        ours(server, caller, callers: callers),
                    ]
                }
                do {
                    let samples = try await plan.samples(steps)
                    await caller.close()
                    return samples
                } catch {
                    await caller.close()
                    throw error
                }
            }
        }
        judge(&report)
        return report
    }

    private func raw(_ server: ChildProcess, address: String, callers: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("raw", callers: callers)) { seconds in
            try await measured(server) {
                try await plan.peers.run(
                    "bulk-echo", ["call", address, "\(bytes)", "\(callers)", "\(seconds)"]
                ).figures
            }
        }
    }

    private func ours(
        _ server: ChildProcess, _ caller: AttachmentCaller, callers: Int
    ) -> BenchPlan.Step {
        BenchPlan.Step(series: Series("attachments", callers: callers)) { seconds in
            let before = Clocks.ownProcessorNanoseconds()
            return try await measured(server) {
                let outcome = try await ClosedLoop.run(
                    callers: callers, seconds: seconds, on: caller.executor
                ) { _, number in try await caller.call(isCompared: number == 0) }
                var figures = outcome.figures
                figures[Figure.clientCPU] =
                    Double(Clocks.ownProcessorNanoseconds() - before) / 1_000
                    / Double(max(1, outcome.count))
                return figures
            }
        }
    }

    /// Adds what the server used of the processors, and the throughput.
    private func measured(
        _ server: ChildProcess, _ body: () async throws -> [String: Double]
    ) async throws -> [String: Double] {
        var figures = try await server.addingServerTime(body)
        figures[Figure.megabytes] = (figures[Figure.perSecond] ?? 0) * Double(bytes) / 1e6
        return figures
    }

    /// Fills in what is quoted, and what was to be reached.
    func judge(_ report: inout BenchReport) {
        for callers in callers {
            guard let raw = report.median("raw", callers, Figure.megabytes), raw > 0,
                let ours = report.median("attachments", callers, Figure.megabytes)
            else { continue }
            report.headlines["throughputOfRaw\(callers)"] = ours / raw
            report.budgets.append(
                Budget(
                    "\(callers) caller\(callers == 1 ? "" : "s"), throughput of raw TCP",
                    ours / raw, .atLeast, Self.budgetOfRaw, unit: "×"))
        }
    }
}

/// Sends attachments over one connection of the product's client.
private struct AttachmentCaller: Sendable {
    /// Where the connection lives, and its callers run.
    let executor = LoopExecutor()
    private let transport: SocketTransport
    private let sent: ByteBuffer

    /// Makes a caller; it connects with its first call.
    init(address: String, bytes: Int) throws {
        guard let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...])
        else { throw Failure(.internalError, "“\(address)” is no HOST:PORT.") }
        transport = SocketTransport(
            .address(host: String(address[..<colon]), port: port), credential: nil,
            executor: executor)
        // No two stretches of it are alike: bytes at a wrong place are found.
        var (contents, state) = (ByteBuffer(), UInt64(bytes))
        while contents.readableBytes < bytes {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            contents.writeInteger(state)
        }
        sent = contents.readSlice(length: bytes) ?? contents
    }

    /// Makes one call.
    ///
    /// The answer's length is always looked at, its bytes on demand: the peer does not look at them
    /// either.
    func call(isCompared: Bool) async throws {
        var call = OutgoingCall(
            method: Methods.EchoService.echo, payload: [],
            deadline: CallDeadline(milliseconds: Limits.benchCallMilliseconds))
        call.attachment = sent
        let answer = try await transport.exchange(call).attachment
        guard answer.readableBytes == sent.readableBytes, !isCompared || answer == sent else {
            throw Failure(.internalError, "An echo did not bring back what was sent.")
        }
    }

    /// Ends the connection.
    func close() async { await transport.close() }
}
