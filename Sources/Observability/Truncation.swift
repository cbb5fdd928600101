/// Cuts text without breaking a character.
enum Truncation {
    /// The text if it fits in `limit` bytes; else its beginning and an ellipsis, which fit.
    static func text(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        let ellipsis = "…"
        var end = text.utf8.index(text.startIndex, offsetBy: max(0, limit - ellipsis.utf8.count))
        // Back to the beginning of a character, as people see characters.
        while end > text.startIndex, String.Index(end, within: text) == nil {
            text.utf8.formIndex(before: &end)
        }
        return text[..<end] + ellipsis
    }
}
