import Testing
import TollgateKernel

@Suite("Counts of a minute")
struct MinuteCountTests {
    private static func at(_ minute: Int64, _ milliseconds: Int64 = 0) -> Timestamp {
        Timestamp(milliseconds: minute * 60_000 + milliseconds)
    }

    @Test func `A new minute begins at nothing`() {
        var count = MinuteCount.none
        count.add(3, at: Self.at(100))
        count.add(at: Self.at(100, 59_999))
        #expect(count.count(at: Self.at(100, 59_999)) == 4)
        #expect(count.rest(at: Self.at(100, 59_999)) == 1)
        #expect(count.count(at: Self.at(101)) == 0)
        #expect(count.rest(at: Self.at(101)) == 60_000)
        count.add(at: Self.at(101))
        #expect(count == MinuteCount(minute: 101, count: 1))
    }

    @Test func `A clock that lags does not begin the minute anew`() {
        var count = MinuteCount(minute: 101, count: 7)
        #expect(count.count(at: Self.at(100, 59_000)) == 7)
        count.add(at: Self.at(100, 59_000))
        #expect(count == MinuteCount(minute: 101, count: 8))
        #expect(count.rest(at: Self.at(100, 59_000)) == 61_000)
    }

    @Test func `A count from a clock that was far ahead is forgotten`() {
        var count = MinuteCount(minute: 500, count: 7)
        #expect(count.count(at: Self.at(100)) == 0)
        count.add(at: Self.at(100))
        #expect(count == MinuteCount(minute: 100, count: 1))
    }

    @Test func `A count never overflows`() {
        var count = MinuteCount(minute: 100, count: .max - 1)
        count.add(5, at: Self.at(100))
        #expect(count.count == .max)
    }
}
