/// Counts of things, for people.
package enum Plural {
    /// `1 order`, `2 orders`: a word whose plural has an s.
    package static func of(_ count: Int, _ word: String) -> String {
        of(Int64(count), word)
    }

    /// `1 order`, `2 orders`: a word whose plural has an s.
    package static func of(_ count: Int64, _ word: String) -> String {
        count == 1 ? "1 \(word)" : "\(count) \(word)s"
    }
}
