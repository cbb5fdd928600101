package import Foundation

/// Moments and lengths of time as people read them.
package struct Moments: Sendable {
    private let calendar: Calendar

    /// Shows moments as a clock in this zone does.
    package init(timeZone: TimeZone) {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        self.calendar = calendar
    }

    /// Reports are cut by the day in Asia/Shanghai (UTC+8 without daylight saving).
    package static let shanghai = Moments(
        timeZone: TimeZone(secondsFromGMT: 8 * 3_600) ?? TimeZone(abbreviation: "GMT") ?? .current)

    /// Milliseconds since 1970 as `2026-01-31 14:05:09`; `-` for 0, which is "never" on the wire.
    package func moment(_ milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "-" }
        let parts = components(milliseconds)
        return date(parts) + " "
            + [parts.hour, parts.minute, parts.second].map { Self.two($0 ?? 0) }
            .joined(separator: ":")
    }

    /// A table's column of moments, which names their zone in its title: `WHEN (+08:00)`.
    ///
    /// If the clocks were changed between two of them, each names its own. `toMinutes` leaves the
    /// seconds out.
    package func column(
        _ title: String, _ milliseconds: [Int64], toMinutes: Bool = false
    ) -> (title: String, cells: [String]) {
        let zones = Set(milliseconds.filter { $0 != 0 }.map(zone))
        guard zones.count < 2 else { return (title, milliseconds.map(zoned)) }
        return (
            zones.first.map { "\(title) (\($0 == "Z" ? "UTC" : $0))" } ?? title,
            milliseconds.map { toMinutes && $0 != 0 ? String(moment($0).dropLast(3)) : moment($0) }
        )
    }

    /// The moment with its zone, as `2026-01-31 14:05:09 +08:00` or `… Z`; `-` for 0.
    package func zoned(_ milliseconds: Int64) -> String {
        milliseconds == 0 ? "-" : "\(moment(milliseconds)) \(zone(milliseconds))"
    }

    /// How far the clock is from UTC at that moment: `+08:00`, or `Z`.
    private func zone(_ milliseconds: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        let minutes = calendar.timeZone.secondsFromGMT(for: date) / 60
        guard minutes != 0 else { return "Z" }
        let size = abs(minutes)
        return "\(minutes < 0 ? "-" : "+")\(Self.two(size / 60)):\(Self.two(size % 60))"
    }

    /// The day as `2026-01-31`; `-` for 0.
    package func day(_ milliseconds: Int64) -> String {
        milliseconds == 0 ? "-" : date(components(milliseconds))
    }

    /// The hour as `2026-01-31 14:00`; `-` for 0.
    package func hour(_ milliseconds: Int64) -> String {
        guard milliseconds != 0 else { return "-" }
        let parts = components(milliseconds)
        return "\(date(parts)) \(Self.two(parts.hour ?? 0)):00"
    }

    /// A length of time in its two largest units: `340 ms`, `9 s`, `3 min 20 s`, `2 d 4 h`.
    package static func duration(_ milliseconds: Int64) -> String {
        guard milliseconds >= 0 else { return "-" + duration(-max(milliseconds, -.max)) }
        guard milliseconds >= 1_000 else { return "\(milliseconds) ms" }
        let seconds = milliseconds / 1_000
        let units: [(length: Int64, name: String)] = [
            (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"),
        ]
        guard let first = units.firstIndex(where: { seconds >= $0.length }) else { return "0 s" }
        let large = "\(seconds / units[first].length) \(units[first].name)"
        guard first + 1 < units.count else { return large }
        let rest = seconds % units[first].length / units[first + 1].length
        return rest == 0 ? large : "\(large) \(rest) \(units[first + 1].name)"
    }

    /// How often something happens: `every hour`, `every 30 s`.
    package static func interval(_ milliseconds: Int64) -> String {
        let units: [Int64: String] = [
            1_000: "second", 60_000: "minute", 3_600_000: "hour", 86_400_000: "day",
        ]
        return "every \(units[milliseconds] ?? duration(milliseconds))"
    }

    /// Seconds as a stopwatch shows them: `4:05`, `1:00:00`.
    package static func countdown(_ milliseconds: Int64) -> String {
        let seconds = max(0, (milliseconds + 999) / 1_000)
        let minutes = seconds / 60 % 60
        guard seconds >= 3_600 else { return "\(minutes):\(two(Int(seconds % 60)))" }
        return "\(seconds / 3_600):\(two(Int(minutes))):\(two(Int(seconds % 60)))"
    }

    /// Reads `90s`, `15min`, `24h` or `30d` as milliseconds; nil if it is none of these.
    package static func parseDuration(_ text: String) -> Int64? {
        let units: [(String, Int64)] = [
            ("ms", 1), ("min", 60_000), ("s", 1_000), ("m", 60_000), ("h", 3_600_000),
            ("d", 86_400_000),
        ]
        for (suffix, length) in units where text.hasSuffix(suffix) {
            guard let number = Int64(text.dropLast(suffix.count)), number > 0 else { continue }
            let (product, overflow) = number.multipliedReportingOverflow(by: length)
            return overflow ? nil : product
        }
        return nil
    }

    private func components(_ milliseconds: Int64) -> DateComponents {
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
        return calendar.dateComponents(
            [.year, .month, .day, .hour, .minute, .second], from: date)
    }

    private func date(_ parts: DateComponents) -> String {
        "\(parts.year ?? 0)-\(Self.two(parts.month ?? 0))-\(Self.two(parts.day ?? 0))"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
