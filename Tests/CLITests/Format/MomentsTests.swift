import CLI
import Foundation
import Testing

@Suite("Moments and durations as people read them")
struct MomentsTests {
    @Test(
        arguments: [
            (1_000, "every second"), (2_000, "every 2 s"), (60_000, "every minute"),
            (90_000, "every 1 min 30 s"), (3_600_000, "every hour"), (86_400_000, "every day"),
        ] as [(Int64, String)])
    func howOftenIsSaidAsPeopleSayIt(milliseconds: Int64, words: String) {
        #expect(Moments.interval(milliseconds) == words)
    }

    private let utc = Moments(timeZone: .gmt)

    @Test func aMomentIsShownInTheZone() {
        // 2026-01-31T16:05:09Z, which is the next day in Shanghai.
        let moment: Int64 = 1_769_875_509_000
        #expect(utc.moment(moment) == "2026-01-31 16:05:09")
        #expect(Moments.shanghai.moment(moment) == "2026-02-01 00:05:09")
        #expect(utc.zoned(moment) == "2026-01-31 16:05:09 Z")
        #expect(Moments.shanghai.zoned(moment) == "2026-02-01 00:05:09 +08:00")
        #expect(Moments.shanghai.day(moment) == "2026-02-01")
        #expect(Moments.shanghai.hour(moment) == "2026-02-01 00:00")
    }

    @Test func aColumnNamesItsZoneOnce() throws {
        let moment: Int64 = 1_769_875_509_000
        var column = utc.column("WHEN", [moment, 0])
        #expect(column.title == "WHEN (UTC)")
        #expect(column.cells == ["2026-01-31 16:05:09", "-"])
        column = Moments.shanghai.column("WHEN", [moment, 0], toMinutes: true)
        #expect(column.title == "WHEN (+08:00)")
        #expect(column.cells == ["2026-02-01 00:05", "-"])
        #expect(utc.column("WHEN", [0]).title == "WHEN")
        // Over the change to summer time each names its own.
        let berlin = Moments(timeZone: try #require(TimeZone(identifier: "Europe/Berlin")))
        column = berlin.column("WHEN", [moment, moment + 100 * 86_400_000])
        #expect(column.title == "WHEN")
        #expect(column.cells == ["2026-01-31 17:05:09 +01:00", "2026-05-11 18:05:09 +02:00"])
    }

    @Test func zeroIsNoMoment() {
        #expect(utc.moment(0) == "-")
        #expect(utc.day(0) == "-")
        #expect(utc.hour(0) == "-")
    }

    @Test(arguments: [
        (0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (59_999, "59 s"), (60_000, "1 min"),
        (200_000, "3 min 20 s"), (3_600_000, "1 h"), (3_660_000, "1 h 1 min"),
        (187_200_000, "2 d 4 h"), (-1_500, "-1 s"), (Int64.max, "106751991167 d 7 h"),
        (Int64.min, "-106751991167 d 7 h"),
    ])
    func durationsHaveTwoUnits(milliseconds: Int64, text: String) {
        #expect(Moments.duration(milliseconds) == text)
    }

    @Test(arguments: [
        (0, "0:00"), (-5, "0:00"), (1, "0:01"), (59_500, "1:00"), (245_000, "4:05"),
        (3_600_000, "1:00:00"), (3_725_000, "1:02:05"),
    ])
    func countdownsRoundUp(milliseconds: Int64, text: String) {
        #expect(Moments.countdown(milliseconds) == text)
    }

    @Test(
        arguments: [
            ("90s", 90_000), ("15min", 900_000), ("15m", 900_000), ("24h", 86_400_000),
            ("30d", 2_592_000_000), ("5ms", 5),
        ] as [(String, Int64)])
    func durationsAreRead(text: String, milliseconds: Int64) {
        #expect(Moments.parseDuration(text) == milliseconds)
    }

    @Test(arguments: ["", "h", "0h", "-1h", "1.5h", "1 h", "10", "9223372036854775807d", "1w"])
    func whatIsNoDurationIsRefused(text: String) {
        #expect(Moments.parseDuration(text) == nil)
    }
}
