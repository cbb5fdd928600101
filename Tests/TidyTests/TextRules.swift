import Glibc

/// What no text of the project may say, whatever its kind.
enum TextRules {
    /// Hosts of package registries and their mirrors.
    ///
    /// The tools know where to ask, and every machine has its own. Written in pieces, so that this
    /// file does not hold them.
    private static let hosts: [String] = [
        ["py", "pi.org"], ["pythonhosted", ".org"], ["registry.npm", "js.org"],
        ["npm", "js.com"], ["registry.yarn", "pkg.com"], ["crates", ".io"],
        ["proxy.go", "lang.org"], ["ruby", "gems.org"], ["maven", ".org"],
        ["deb.deb", "ian.org"], ["npm", "mirror.com"], ["mirrors", ".aliyun"],
        ["--index", "-url"], ["--regi", "stry"],
    ].map { $0.joined() }

    /// Folders of somebody's machine.
    private static let folders: [String] = ["work", "root", "home", "Users"].map { "/\($0)/" }

    static func check(_ file: TextFile) -> [Finding] {
        // One look at the whole text is enough for nearly every file.
        let suspects = (hosts + folders).filter { holds(file.text, $0) }
        guard !suspects.isEmpty else { return [] }
        return zip(1..., file.lines).flatMap { number, line in
            suspects.compactMap { suspect -> Finding? in
                guard line.contains(suspect) else { return nil }
                if folders.contains(suspect) {
                    guard beginsPath(line, suspect) else { return nil }
                    return file.finding(number, "\(suspect): a path of one machine")
                }
                return file.finding(number, "\(suspect): a registry's host; leave it to the tool")
            }
        }
    }

    /// Byte by byte: `contains` compares characters as people see them, which takes seconds here.
    static func holds(_ text: String, _ part: String) -> Bool {
        text.withCString { text in part.withCString { strstr(text, $0) != nil } }
    }

    /// Whether the folder stands at a path's root: `a/home/b` and `https://x/home/` do not count.
    private static func beginsPath(_ line: Substring, _ folder: String) -> Bool {
        var rest = line
        while let range = rest.firstRange(of: folder) {
            let before =
                range.lowerBound == line.startIndex
                ? nil : line[line.index(before: range.lowerBound)]
            let isInside = before.map { $0.isLetter || $0.isNumber || "._-}~)/".contains($0) }
            if isInside != true { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
