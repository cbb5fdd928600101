import Foundation
import Histogram
import TollgateClient
import TollgateKernel
import TollgateWire

/// Measures how steadily many streams flow over one connection: how far the pause between two
/// messages of a stream is from the pause with which they were written.
///
/// Beside it, in the same run, as many tasks of one process keep the same pace by their timers
/// alone: what those err is not the streams' doing. And how long a stream's cancel takes to reach
/// its handler.
package struct StreamBench: Sendable {
    /// What is measured, and how long.
    package var plan: BenchPlan
    /// How many streams flow at once.
    package var streams: Int

    /// How long a cancel may take to its handler, at the 99th percentile, in microseconds.
    package static let cancelBudgetMicroseconds = 50_000.0

    /// How far a pause may be off, at the 99th percentile, in microseconds.
    package static let budgetMicroseconds = 20_000.0

    /// Makes the benchmark.
    package init(_ plan: BenchPlan, streams: Int = 1_000) {
        self.plan = plan
        self.streams = streams
    }

    /// Measures.
    /// - Throws: A ``Failure`` if the server is missing, or a stream ends early.
    package func run() async throws -> BenchReport {
        let credential = UUID().uuidString
        let samples = try await ChildProcess.running(
            plan.program,
            ["bench", "serve", "--listen", "127.0.0.1:0", "--variant", "full"],
            environment: ["TOLLGATE_BENCH_CREDENTIAL": credential]
        ) { process in
            let address = try await process.listeningAddress()
            return try await withTollgateClient(
                TollgateClientConfiguration(address: address, credential: credential)
            ) { client in
                try await plan.samples([
                    BenchPlan.Step(series: Series("streams", callers: streams)) { seconds in
                        try await flow(client, process, seconds: seconds)
                    },
                    BenchPlan.Step(series: Series("timers", callers: streams)) { seconds in
                        try await keepTime(seconds: seconds)
                    },
                    BenchPlan.Step(series: Series("cancels", callers: 1)) { seconds in
                        try await cancel(client, seconds: seconds)
                    },
                ])
            }
        }
        var report = plan.report("stream")
        report.samples = samples
        report.settings["streams"] = Double(streams)
        judge(&report)
        return report
    }

    private func messages(in seconds: Double) -> Int {
        max(2, Int(seconds * 1_000) / Int(TickService.pauseMilliseconds))
    }

    private func flow(
        _ client: TollgateClient, _ server: ChildProcess, seconds: Double
    ) async throws -> [String: Double] {
        let wanted = messages(in: seconds)
        guard let serverBefore = Clocks.processorNanoseconds(of: server.identifier) else {
            throw Self.gone
        }
        let clientBefore = Clocks.ownProcessorNanoseconds()
        var figures = try await errors(on: client.executor) { log in
            let request = Example.EchoRequest(message: "\(wanted)")
            try await client.serverStream(TickService.ticks, request) {
                (stream: ServerStream<TickService.Tick>) in
                var last: Int64?
                for try await tick in stream {
                    guard tick.message == EchoCaller.message else { throw Self.wrongMessage }
                    let now = Clocks.monotonicNanoseconds()
                    if let last { log.append(now - last) }
                    last = now
                }
            }
            guard log.count == wanted - 1 else { throw Self.wrongMessage }
        }
        guard let serverAfter = Clocks.processorNanoseconds(of: server.identifier) else {
            throw Self.gone
        }
        let all = Double(streams * wanted)
        figures[Figure.serverCPU] = Double(serverAfter - serverBefore) / 1_000 / all
        figures[Figure.clientCPU] =
            Double(Clocks.ownProcessorNanoseconds() - clientBefore) / 1_000 / all
        return figures
    }

    private func keepTime(seconds: Double) async throws -> [String: Double] {
        let wanted = messages(in: seconds)
        return try await errors(on: nil) { log in
            let began = ContinuousClock.now
            var last: Int64?
            for number in 1...wanted {
                try await Task.sleep(
                    until: began + .milliseconds(Int64(number) * TickService.pauseMilliseconds),
                    tolerance: .zero)
                let now = Clocks.monotonicNanoseconds()
                if let last { log.append(now - last) }
                last = now
            }
        }
    }

    /// Leaves one stream after the other, and asks when its handler saw it: both processes have the
    /// same clock.
    private func cancel(
        _ client: TollgateClient, seconds: Double
    ) async throws -> [String: Double] {
        var histogram = Histogram<UInt32>(highestTrackableValue: UInt64(UInt32.max))
        let end = Clocks.monotonicNanoseconds() + Int64(seconds * 1e9)
        var count = 0
        repeat {
            let request = Example.EchoRequest(message: UUID().uuidString)
            let left = try await client.serverStream(CancelService.wait, request) {
                (stream: ServerStream<Example.EchoResponse>) in
                for try await message in stream where message.message == request.message {
                    return Clocks.monotonicNanoseconds()
                }
                throw Self.wrongMessage
            }
            // A cancel that waited for the next call's packet would be late by this.
            try await Task.sleep(for: .milliseconds(5))
            let answer: Example.EchoResponse = try await client.unary(CancelService.seen, request)
            guard let seen = Int64(answer.message) else { throw Self.wrongMessage }
            _ = histogram.record(UInt64(min(max(1, seen - left), Int64(UInt32.max))))
            count += 1
        } while Clocks.monotonicNanoseconds() < end
        return [
            Figure.seconds: seconds, Figure.perSecond: Double(count) / seconds,
            Figure.p50: Double(histogram.valueAtPercentile(50)) / 1_000,
            Figure.p99: Double(histogram.valueAtPercentile(99)) / 1_000,
        ]
    }

    /// Runs as many bodies as there are streams; each logs its pauses, in nanoseconds.
    private func errors(
        on executor: (any TaskExecutor)?,
        _ body: @escaping @Sendable (_ log: inout [Int64]) async throws -> Void
    ) async throws -> [String: Double] {
        let began = Clocks.monotonicNanoseconds()
        let logs = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<streams {
                group.addTask(executorPreference: executor) {
                    var log: [Int64] = []
                    try await body(&log)
                    return log
                }
            }
            return try await group.reduce(into: [[Int64]]()) { $0.append($1) }
        }
        let seconds = Double(Clocks.monotonicNanoseconds() - began) / 1e9
        var histogram = Histogram<UInt32>(highestTrackableValue: UInt64(UInt32.max))
        let pause = TickService.pauseMilliseconds * 1_000_000
        var count = 0
        for log in logs {
            count += log.count
            for gap in log {
                let error = UInt64((gap - pause).magnitude)
                _ = histogram.record(min(max(1, error), UInt64(UInt32.max)))
            }
        }
        func percentile(_ share: Double) -> Double {
            Double(histogram.valueAtPercentile(share)) / 1_000
        }
        return [
            Figure.count: Double(count), Figure.seconds: seconds,
            Figure.perSecond: Double(count) / seconds, Figure.p50: percentile(50),
            Figure.p99: percentile(99), Figure.p999: percentile(99.9),
        ]
    }

    private static let gone = Failure(.unavailable, "The echo server has gone.")
    private static let wrongMessage = Failure(
        .internalError, "A stream brought other messages than were asked for.")

    /// Fills in what is quoted, and what was to be reached: for a thousand streams alone.
    func judge(_ report: inout BenchReport) {
        if let p99 = report.median("cancels", 1, Figure.p99) {
            report.headlines["cancelP99Microseconds"] = p99
            report.budgets.append(
                Budget(
                    "a stream's cancel at its handler, p99", p99, .atMost,
                    Self.cancelBudgetMicroseconds, unit: "µs"))
        }
        guard let p99 = report.median("streams", streams, Figure.p99) else { return }
        report.headlines["gapErrorP99Microseconds"] = p99
        guard streams >= 1_000 else { return }
        report.budgets.append(
            Budget(
                "\(streams) streams of 50 messages a second, p99 of the pauses' error", p99,
                .atMost, Self.budgetMicroseconds, unit: "µs"))
    }
}
