/// Links and paths in the pages lead somewhere.
enum LinkRule {
    /// Folders whose paths, written as code in a page, must exist.
    private static let folders = [
        "Sources/", "Tests/", "Proto/", "Scripts/", "Benchmarks/", "Deploy/", "UI/",
    ]

    /// `paths` are all that exist below the top; `headings` gives a page's anchors.
    static func check(
        _ file: TextFile, paths: Set<String>, anchors: (String) -> Set<String>?
    ) -> [Finding] {
        var findings: [Finding] = []
        var insideFence = false
        for (number, line) in zip(1..., file.lines) {
            if line.hasPrefix("```") { insideFence.toggle() }
            if insideFence { continue }
            for target in links(line) {
                if let sentence = problem(target, file, paths, anchors) {
                    findings.append(file.finding(number, sentence))
                }
            }
            for path in codePaths(line) where !paths.contains(path) {
                findings.append(file.finding(number, "\(path) does not exist"))
            }
        }
        return findings
    }

    private static func problem(
        _ target: String, _ file: TextFile, _ paths: Set<String>,
        _ anchors: (String) -> Set<String>?
    ) -> String? {
        if target.contains("://") || target.hasPrefix("mailto:") { return nil }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].isEmpty ? file.path : resolve(String(parts[0]), from: file.path)
        guard paths.contains(path) else { return "the link \(target) leads nowhere" }
        guard parts.count == 2 else { return nil }
        guard anchors(path)?.contains(String(parts[1])) == true else {
            return "the link \(target) names no heading there"
        }
        return nil
    }

    private static func resolve(_ target: String, from page: String) -> String {
        var parts = page.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }

    /// What stands in `](…)` and after `src="` on a line.
    static func links(_ line: Substring) -> [String] {
        var result: [String] = []
        for (open, close) in [("](", ")"), ("src=\"", "\"")] {
            var rest = line
            while let start = rest.firstRange(of: open) {
                rest = rest[start.upperBound...]
                guard let end = rest.firstRange(of: close) else { break }
                result.append(String(rest[..<end.lowerBound]))
                rest = rest[end.upperBound...]
            }
        }
        return result
    }

    /// Paths in backticks that begin in one of our folders; patterns and commands are left out.
    static func codePaths(_ line: Substring) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }
            .compactMap { _, code in
                guard folders.contains(where: { code.hasPrefix($0) }) else { return nil }
                guard !code.contains(where: { " *<{…".contains($0) }) else { return nil }
                return String(code.hasSuffix("/") ? code.dropLast() : code)
            }
    }

    /// The anchors a page's headings make: lower case, words joined by hyphens.
    static func anchors(_ text: String) -> Set<String> {
        var result: Set<String> = []
        var insideFence = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { insideFence.toggle() }
            guard !insideFence, line.hasPrefix("#") else { continue }
            let title = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
            result.insert(
                String(
                    title.compactMap { character -> Character? in
                        if character == " " { return "-" }
                        let stays =
                            character.isLetter || character.isNumber || "-_".contains(character)
                        return stays ? character : nil
                    }))
        }
        return result
    }
}
