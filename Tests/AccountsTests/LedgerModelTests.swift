import Accounts
import Testing
import TollgateKernel

#if canImport(Glibc)
    import Glibc
#endif

/// Random operations against the rules and against ``LedgerModel``: both agree after each.
///
/// `TOLLGATE_TEST_SEED` repeats a run, `TOLLGATE_TEST_HISTORIES=340` makes it 102,000 operations.
/// A history that fails is shrunk before it is told.
@Suite("The ledger against its model")
struct LedgerModelTests {
    private static let steps = 300

    private static func history(_ seed: UInt64, leaving: Bool) -> [LedgerOperation] {
        var numbers = SeededNumbers(seed: seed)
        return (0..<steps).map { _ in LedgerOperation.random(&numbers, leaving: leaving) }
    }

    /// As few and as small operations as fail in any way.
    private static func shrunk(
        _ operations: [LedgerOperation], model: LedgerModel = LedgerModel()
    ) -> [LedgerOperation] {
        var shrinker = Shrinker<LedgerOperation>(
            smaller: \.smaller,
            fails: { shorter in
                var seen: [String: Int] = [:]
                return LedgerRun.fault(of: shorter, model: model, seen: &seen) != nil
            })
        return shrinker.shrink(operations)
    }

    @Test func randomOperationsKeepTheBooksAndAgreeWithTheModel() throws {
        let given = getenv("TOLLGATE_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        let seed = given ?? UInt64.random(in: 1...UInt64(UInt32.max))
        print("ledger model: TOLLGATE_TEST_SEED=\(seed)")
        let histories = getenv("TOLLGATE_TEST_HISTORIES").flatMap { Int(String(cString: $0)) } ?? 40
        var seen: [String: Int] = [:]
        // Forty histories of 300 operations: long enough to tangle, short enough to check whole.
        for number in 0..<histories {
            let history = Self.history(seed &+ UInt64(number), leaving: true)
            guard let fault = LedgerRun.fault(of: history, seen: &seen) else { continue }
            let shrunk = Self.shrunk(Array(history.prefix(fault.step + 1)))
            var ignored: [String: Int] = [:]
            let problem = LedgerRun.fault(of: shrunk, seen: &ignored)?.problem ?? "nothing any more"
            Issue.record(
                """
                seed \(seed), history \(number), step \(fault.step): \(fault.problem)
                shrunk to \(shrunk.count) operations: \(problem)
                \(shrunk.map { "    \($0)" }.joined(separator: "\n"))
                """)
            return
        }
        #expect(seen.values.reduce(0, +) == histories * Self.steps)
        // A run that never reached a case would prove nothing about it.
        for operation in LedgerRun.operations {
            #expect(seen[operation, default: 0] > 0, "seed \(seed): no \(operation)")
        }
    }

    @Test(arguments: [
        // Grant, hold, time over the lot's end, and the hold's end: no three of them show it.
        (LedgerModel.Plant.expiredPartsComeBack, 4),
        // A hold on us or a trial, and its settlement above what was reserved.
        (LedgerModel.Plant.overrunIsForgotten, 2),
        // Four trials are the limit: five, less none.
        (LedgerModel.Plant.trialsHaveNoLimit, 5),
    ])
    func `a history in which a wrong model shows is shrunk to what shows it`(
        plant: LedgerModel.Plant, length: Int
    ) throws {
        var wrong = LedgerModel()
        wrong.plant = plant
        for seed in 1...3 as ClosedRange<UInt64> {
            var seen: [String: Int] = [:]
            let found = (0..<20 as Range<UInt64>).lazy.compactMap { offset in
                let history = Self.history(seed &* 1_000 &+ offset, leaving: false)
                return LedgerRun.fault(of: history, model: wrong, seen: &seen) == nil
                    ? nil : history
            }.first
            let history = try #require(found, "the plant shows in twenty histories")
            let shrunk = Self.shrunk(history, model: wrong)
            #expect(shrunk.count == length, "seed \(seed): \(shrunk)")
            #expect(LedgerRun.fault(of: shrunk, model: wrong, seen: &seen) != nil)
            #expect(LedgerRun.fault(of: shrunk, seen: &seen) == nil, "the right model agrees")
            for place in shrunk.indices {
                var shorter = shrunk
                shorter.remove(at: place)
                #expect(LedgerRun.fault(of: shorter, model: wrong, seen: &seen) == nil)
            }
        }
    }

    @Test func `numbers shrink to the smallest that still fails`() {
        var shrinker = Shrinker<Int64>(
            smaller: { smallerNumbers(than: $0, downTo: 0) },
            fails: { $0.contains { $0 >= 37 } && $0.contains { (5..<37).contains($0) } })
        #expect(shrinker.shrink([3, 900, 1, 12, 12, 55, 0, 4_000]).sorted() == [5, 37])
    }
}
