/// Several short texts in one column: each ends with a line feed, `%` and line feeds are escaped.
enum TextList {
    /// One text for all.
    static func encode(_ items: [String]) -> String {
        var encoded = ""
        for item in items {
            for character in item.unicodeScalars {
                switch character {
                case "%": encoded += "%25"
                case "\n": encoded += "%0A"
                default: encoded.unicodeScalars.append(character)
                }
            }
            encoded += "\n"
        }
        return encoded
    }

    /// The texts again.
    static func decode(_ text: String) -> [String] {
        text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map { item in
                String(item).replacing("%0A", with: "\n").replacing("%25", with: "%")
            }
    }
}
