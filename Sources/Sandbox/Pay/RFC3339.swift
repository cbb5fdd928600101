internal import Foundation
internal import TollgateKernel

/// Moments as WeChat Pay writes and reads them: `2026-01-01T10:34:56+08:00`.
enum RFC3339 {
    /// The moment in Shanghai's time, in whole seconds.
    static func text(_ moment: Timestamp) -> String {
        let day = ShanghaiDay(moment)
        let seconds = moment.seconds - day.start.seconds
        let parts = [seconds / 3_600, seconds / 60 % 60, seconds % 60]
        return "\(day)T" + parts.map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
            + "+08:00"
    }

    /// Reads a moment with any offset; nil if the text is none.
    static func moment(_ text: String) -> Timestamp? {
        ISO8601DateFormatter().date(from: text).map {
            Timestamp(seconds: Int64($0.timeIntervalSince1970.rounded(.down)))
        }
    }

    /// The moment's 14 digits in Shanghai's time, as WeChat's numbers contain them.
    static func digits(_ moment: Timestamp) -> String {
        String(text(moment).prefix(19).filter(\.isNumber))
    }
}
