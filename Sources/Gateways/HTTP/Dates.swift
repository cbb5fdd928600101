internal import TollgateKernel

/// The two ways dates are written in what we send and receive, without Foundation's formatters,
/// which cost more than the rest of an answer.
enum Dates {
    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the form RFC 9110 (5.6.7) asks of senders.
    static func parseHTTP(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0].utf8.count == 4, parts[5] == "GMT",
            let day = number(parts[1], 2), let year = number(parts[3], 4),
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let time = parts[4].split(separator: ":", omittingEmptySubsequences: false)
        guard time.count == 3, let hour = number(time[0], 2), let minute = number(time[1], 2),
            let second = number(time[2], 2)
        else { return nil }
        return moment(year, month + 1, day, hour, minute, second)
    }

    /// Reads `2026-01-01T10:34:56+08:00` (RFC 3339); fractions of a second are dropped.
    static func parseRFC3339(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 35, bytes[4] == 0x2d, bytes[7] == 0x2d,
            bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == 0x3a, bytes[16] == 0x3a,
            let year = number(bytes[0..<4], 4), let month = number(bytes[5..<7], 2),
            let day = number(bytes[8..<10], 2), let hour = number(bytes[11..<13], 2),
            let minute = number(bytes[14..<16], 2), let second = number(bytes[17..<19], 2),
            let local = moment(year, month, day, hour, minute, second)
        else { return nil }
        var zone = bytes[19...]
        if zone.first == UInt8(ascii: ".") {
            let digits = zone.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            zone = bytes[digits.endIndex...]
        }
        if zone.count == 1, zone[zone.startIndex] | 0x20 == UInt8(ascii: "z") { return local }
        guard zone.count == 6, zone[zone.startIndex + 3] == 0x3a,
            let hours = number(zone[(zone.startIndex + 1)..<(zone.startIndex + 3)], 2),
            let minutes = number(zone[(zone.startIndex + 4)...], 2), hours < 24, minutes < 60
        else { return nil }
        let offset = Int64(hours * 60 + minutes) * 60_000
        switch zone[zone.startIndex] {
        case UInt8(ascii: "+"): return local.adding(milliseconds: -offset)
        case UInt8(ascii: "-"): return local.adding(milliseconds: offset)
        default: return nil
        }
    }

    /// Writes a moment as WeChat Pay wants it, in Shanghai's time: `2026-01-01T10:34:56+08:00`.
    static func shanghaiRFC3339(_ moment: Timestamp) -> String {
        let day = ShanghaiDay(moment)
        let second = (moment.milliseconds - day.start.milliseconds) / 1_000
        let parts = [second / 3_600, second / 60 % 60, second % 60]
        let time = parts.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
        return "\(day)T\(time)+08:00"
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring, _ digits: Int) -> Int? {
        number(Array(text.utf8)[...], digits)
    }

    private static func number(_ text: ArraySlice<UInt8>, _ digits: Int) -> Int? {
        guard text.count == digits else { return nil }
        var value = 0
        for byte in text {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    /// Source of the days-from-civil arithmetic:
    /// <https://howardhinnant.github.io/date_algorithms.html>.
    private static func moment(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int
    ) -> Timestamp? {
        guard (1...12).contains(month), (1...daysOf(month, in: year)).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        // A leap second is the first of the next minute, as in POSIX time.
        return Timestamp(seconds: Int64(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    private static func daysOf(_ month: Int, in year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension ResponseHead {
    /// How long the answer asks to wait, in milliseconds: `retry-after-ms`, or `Retry-After` in
    /// seconds or as a date.
    ///
    /// Nil if there is none, or none that makes sense: no number, negative, or beyond
    /// ``Limits/retryAfterMilliseconds``.
    func retryAfterMilliseconds(now: Timestamp) -> Int64? {
        if let text = only("retry-after-ms"), let wait = Self.plainNumber(text) {
            return wait <= Limits.retryAfterMilliseconds ? wait : nil
        }
        guard let text = only("retry-after") else { return nil }
        if let seconds = Self.plainNumber(text) {
            return seconds <= Limits.retryAfterMilliseconds / 1_000 ? seconds * 1_000 : nil
        }
        guard let date = Dates.parseHTTP(text) else { return nil }
        let wait = max(0, date.milliseconds - now.milliseconds)
        return wait <= Limits.retryAfterMilliseconds ? wait : nil
    }

    /// A whole number without sign, of at most 12 digits.
    private static func plainNumber(_ text: String) -> Int64? {
        let digits = text.utf8
        guard (1...12).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text)
    }
}
