import Testing

@testable import Bench

struct StatisticsTests {
    @Test func `a median is the middle value, or the mean of the two in the middle`() {
        #expect(Statistics.median([]) == nil)
        #expect(Statistics.median([3]) == 3)
        #expect(Statistics.median([9, 1, 5]) == 5)
        #expect(Statistics.median([4, 1, 3, 100]) == 3.5)
    }

    @Test func `a spread says how far apart rounds are for their median`() {
        #expect(Statistics.spread([]) == nil)
        #expect(Statistics.spread([0, 0]) == nil)
        #expect(Statistics.spread([8, 10, 12]) == 0.4)
    }

    @Test func `medians are taken for each figure of each series, in the order they came`() {
        let a = Series("a", callers: 1)
        let b = Series("a", callers: 64)
        let samples = [
            Sample(series: b, round: 1, figures: ["x": 1, Figure.perSecond: 10]),
            Sample(series: a, round: 1, figures: ["x": 7]),
            Sample(series: b, round: 2, figures: ["x": 3, Figure.perSecond: 20]),
            Sample(series: b, round: 3, figures: ["x": 50, Figure.perSecond: 15]),
        ]
        let medians = Statistics.medians(of: samples)
        #expect(medians.map(\.series) == [b, a])
        #expect(medians[0].figures == ["x": 3, Figure.perSecond: 15])
        #expect(medians[0].rounds == 3)
        #expect(medians[0].rateSpread == 10.0 / 15.0)
        #expect(medians[1].rateSpread == nil)
    }

    @Test func `a budget is met on its side of the limit, and at it`() {
        #expect(Budget("", 4, .atMost, 4, unit: "").isMet)
        #expect(!Budget("", 4.1, .atMost, 4, unit: "").isMet)
        #expect(Budget("", 4, .atLeast, 4, unit: "").isMet)
        #expect(!Budget("", 3.9, .atLeast, 4, unit: "").isMet)
    }
}
