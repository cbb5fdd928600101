import Analytics
import Testing
import TollgateKernel

@Suite("Rollup periods")
struct RollupTests {
    /// 2026-01-31 in Shanghai begins at 16:00 UTC the day before.
    private let midnight = Timestamp(seconds: 1_769_788_800)

    @Test func anHourBeginsOnTheHour() {
        let hour = RollupResolution.hour
        let start = Timestamp(seconds: 1_769_792_400)
        #expect(hour.start(of: start) == start)
        #expect(hour.start(of: start.adding(milliseconds: 1)) == start)
        #expect(hour.start(of: start.adding(milliseconds: 3_599_999)) == start)
        #expect(hour.start(of: start.adding(milliseconds: 3_600_000)) != start)
        #expect(hour.end(ofPeriodStarting: start) == start.adding(milliseconds: 3_600_000))
    }

    @Test func aDayIsCutAtMidnightInShanghai() {
        let day = RollupResolution.day
        #expect(day.start(of: midnight) == midnight)
        #expect(day.start(of: midnight.adding(milliseconds: 86_399_999)) == midnight)
        #expect(
            day.start(of: midnight.adding(milliseconds: -1))
                == midnight.adding(milliseconds: -86_400_000))
        #expect(ShanghaiDay(midnight).description == "2026-01-31")
        #expect(day.end(ofPeriodStarting: midnight) == midnight.adding(milliseconds: 86_400_000))
    }

    @Test func momentsBefore1970FallIntoTheirPeriods() {
        let before = Timestamp(milliseconds: -1)
        #expect(RollupResolution.hour.start(of: before) == Timestamp(milliseconds: -3_600_000))
        #expect(RollupResolution.day.start(of: before) == Timestamp(milliseconds: -28_800_000))
    }

    @Test(arguments: RollupResolution.allCases)
    func periodsMeetWithoutGapOrOverlap(resolution: RollupResolution) {
        var period = RollupPeriod(resolution, containing: Timestamp(milliseconds: -987_654_321))
        for _ in 0..<2_000 {
            let next = RollupPeriod(resolution, containing: period.end)
            #expect(next.start == period.end)
            #expect(resolution.start(of: next.end.adding(milliseconds: -1)) == next.start)
            period = next
        }
    }

    private func starts(
        _ periods: [RollupPeriod], _ resolution: RollupResolution
    ) -> [Int64] {
        periods.filter { $0.resolution == resolution }.map {
            ($0.start.milliseconds - midnight.milliseconds) / 3_600_000
        }
    }

    @Test func aQuietMinuteCountsTheOpenHourAndTheOpenDay() {
        let now = midnight.adding(milliseconds: 3 * 3_600_000 + 45 * 60_000)
        let periods = RollupPlan.periods(
            touchedBetween: now.adding(milliseconds: -60_000), and: now)
        #expect(starts(periods, .hour) == [3])
        #expect(starts(periods, .day) == [0])
    }

    @Test func lateRowsCountTheHourBeforeAgain() {
        let now = midnight.adding(milliseconds: 3 * 3_600_000 + 5 * 60_000)
        let periods = RollupPlan.periods(
            touchedBetween: now.adding(milliseconds: -60_000), and: now)
        #expect(starts(periods, .hour) == [2, 3])
        #expect(starts(periods, .day) == [0])
    }

    @Test func justAfterMidnightTheDayBeforeIsCountedAgain() {
        let now = midnight.adding(milliseconds: 60_000)
        let periods = RollupPlan.periods(
            touchedBetween: now.adding(milliseconds: -60_000), and: now)
        #expect(starts(periods, .hour) == [-1, 0])
        #expect(starts(periods, .day) == [-24, 0])
    }

    @Test func aHostThatWasOffCountsEveryPeriodSince() {
        let last = midnight.adding(milliseconds: 10 * 3_600_000 + 40 * 60_000)
        let now = last.adding(milliseconds: 3 * 86_400_000)
        let periods = RollupPlan.periods(touchedBetween: last, and: now)
        #expect(starts(periods, .hour) == Array(10...82))
        #expect(starts(periods, .day) == [0, 24, 48, 72])
        #expect(periods.map(\.resolution).first == .hour)
        #expect(periods.last?.end ?? last > now)
    }

    @Test func theMomentOfChangeOpensTheNextPeriod() {
        let now = midnight.adding(milliseconds: 5 * 3_600_000)
        let periods = RollupPlan.periods(
            touchedBetween: now, and: now, lookBackMilliseconds: 0)
        #expect(starts(periods, .hour) == [5])
        let before = RollupPlan.periods(
            touchedBetween: now.adding(milliseconds: -1), and: now, lookBackMilliseconds: 0)
        #expect(starts(before, .hour) == [4, 5])
    }

    @Test func aClockSetBackStillCountsTheOpenPeriods() {
        let now = midnight.adding(milliseconds: 5 * 3_600_000 + 40 * 60_000)
        let periods = RollupPlan.periods(
            touchedBetween: now.adding(milliseconds: 7_200_000), and: now)
        #expect(starts(periods, .hour) == [5])
        #expect(starts(periods, .day) == [0])
    }

    @Test func rawValuesAreWhatRowsHold() {
        #expect(
            BusinessMetric.allCases.map(\.rawValue) == [
                "chats", "prompt_tokens", "completion_tokens", "refusals", "orders", "paid_orders",
                "revenue_fen",
            ])
        #expect(RollupResolution.allCases.map(\.rawValue) == ["hour", "day"])
    }
}
