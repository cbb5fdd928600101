import Foundation

/// Options that take a value or the word `none`.
enum OrNone {
    /// A number from 1 as it is sent, 0 for none; nil for anything else.
    static func number(_ text: String) -> Int64? {
        text == "none" ? 0 : Int64(text).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Names with commas between them; none for `none`.
    static func names(_ text: String) -> [String] {
        guard text != "none" else { return [] }
        return text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
