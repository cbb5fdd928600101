import Glibc
import Synchronization
import Testing

@testable import Bench

struct LoadTests {
    private struct Planted: Error {}

    @Test func `each caller makes its share, one call after the other`() async throws {
        let calls = Mutex<[Int: [Int]]>([:])
        let outcome = try await ClosedLoop.run(callers: 4, seconds: 60, most: 20) {
            caller, number in
            calls.withLock { $0[caller, default: []].append(number) }
            await Task.yield()
        }
        #expect(outcome.count == 20)
        #expect(outcome.figures[Figure.count] == 20)
        let share = [0, 1, 2, 3, 4]
        #expect(calls.withLock { $0 } == [0: share, 1: share, 2: share, 3: share])
    }

    @Test func `a call that fails ends the load with its error`() async {
        await #expect(throws: Planted.self) {
            try await ClosedLoop.run(callers: 3, seconds: 60) { caller, number in
                if caller == 1, number == 5 { throw Planted() }
                await Task.yield()
            }
        }
    }

    @Test func `rounds alternate their direction, and reports keep the order of the steps`()
        async throws
    {
        let order = Mutex<[String]>([])
        let steps = ["a", "b"].map { name in
            BenchPlan.Step(series: Series(name, callers: 1)) { _ in
                order.withLock { $0.append(name) }
                return [:]
            }
        }
        let plan = BenchPlan(
            seconds: 1, rounds: 2, folder: "", peers: Peers(folder: ""), program: "", date: "",
            version: "")
        let samples = try await plan.samples(steps, warmUp: false)
        #expect(order.withLock { $0 } == ["a", "b", "b", "a"])
        #expect(samples.map(\.series.name) == ["a", "b", "a", "b"])
        #expect(samples.map(\.round) == [1, 1, 2, 2])
    }

    @Test func `a process's time on the processors grows as it works`() throws {
        let before = Clocks.ownProcessorNanoseconds()
        var sum = 0.0
        for number in 1...2_000_000 { sum += 1 / Double(number) }
        #expect(sum > 14)
        #expect(Clocks.ownProcessorNanoseconds() > before)
        let own = try #require(Clocks.processorNanoseconds(of: getpid()))
        #expect(own > 0)
        #expect(Clocks.processorNanoseconds(of: -5) == nil)
    }
}
