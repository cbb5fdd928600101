/// How large things may grow before a reader loses the thread.
enum SizeRules {
    /// Lines in a file.
    static let fileLines = 600
    /// Lines from a function's keyword to its closing brace.
    static let functionLines = 70
    /// Characters in a line.
    static let columns = 100

    static func file(_ file: TextFile) -> [Finding] {
        var count = file.lines.count
        if file.lines.last?.isEmpty == true { count -= 1 }
        guard count > fileLines else { return [] }
        return [file.finding(1, "\(count) lines, at most \(fileLines): give a part its own file")]
    }

    static func functions(_ file: SwiftFile) -> [Finding] {
        file.source.functionBodies().filter { $0.lineCount > functionLines }.map { function in
            file.finding(
                function.firstLine,
                "\(function.name) has \(function.lineCount) lines, at most \(functionLines)")
        }
    }

    /// A link may be as long as it is, and so may a literal that has no place to break at.
    static func columns(_ file: TextFile) -> [Finding] {
        zip(1..., file.lines).compactMap { number, line in
            // Most lines are short in bytes already, and counting bytes costs nothing.
            guard line.utf8.count > columns else { return nil }
            let count = line.unicodeScalars.count
            guard count > columns, !line.contains("https://"), !isOneLiteral(line) else {
                return nil
            }
            return file.finding(number, "\(count) columns, at most \(columns)")
        }
    }

    private static func isOneLiteral(_ line: Substring) -> Bool {
        let text = line.drop { $0 == " " }
        return text.first == "\"" && !text.contains(" ")
    }

    /// Whether the width rule covers a file: code does, prose and pictures are their own affair.
    static func hasColumns(_ file: TextFile) -> Bool {
        guard !file.isGenerated else { return false }
        let name = file.path.split(separator: "/").last ?? ""
        let endings = ["swift", "c", "h", "py", "sql", "modulemap"]
        return endings.contains { name.hasSuffix("." + $0) }
            || (file.path.hasPrefix("Scripts/") && !name.contains("."))
            || [".ci/run", "Makefile"].contains(file.path)
    }
}
