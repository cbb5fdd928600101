/// The parser's usage lines, which it writes on one line however long they are.
enum UsageText {
    /// The same text with its usage line broken between options, at most so many columns wide.
    static func fitted(_ text: String, columns: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isUsage = line.hasPrefix("USAGE: ") || line.hasPrefix("Usage: ")
            return isUsage && line.count > columns ? broken(line, columns) : String(line)
        }.joined(separator: "\n")
    }

    private static func broken(_ line: Substring, _ columns: Int) -> String {
        // As far as the word USAGE and its blank: what follows stands under the command.
        let indent = String(repeating: " ", count: 7)
        var lines: [String] = []
        for part in parts(of: line) {
            if let last = lines.last, last.count + 1 + part.count <= columns {
                lines[lines.count - 1] = "\(last) \(part)"
            } else {
                lines.append(lines.isEmpty ? part : indent + part)
            }
        }
        return lines.joined(separator: "\n")
    }

    /// What may not be torn: words, and options with the name of their value.
    private static func parts(of line: Substring) -> [String] {
        var parts: [String] = []
        var depth = 0
        for word in line.split(separator: " ") {
            let belongsToOption = parts.last?.hasPrefix("--") == true && word.hasPrefix("<")
            if let last = parts.last, depth > 0 || belongsToOption {
                parts[parts.count - 1] = "\(last) \(word)"
            } else {
                parts.append(String(word))
            }
            depth += word.count(where: { $0 == "[" }) - word.count(where: { $0 == "]" })
        }
        return parts
    }
}
