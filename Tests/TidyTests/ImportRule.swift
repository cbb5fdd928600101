/// One `import` line.
struct Import: Hashable, Sendable {
    var module: String
    /// The access word, such as `package`; nil for a plain import, which is internal.
    var access: String?
    /// Without the `@`, such as `testable`.
    var attributes: Set<String>
    var line: Int
}

extension LexedSource {
    /// Every import of the file, those inside `#if` too.
    func imports() -> [Import] {
        tokens.indices.compactMap { index in
            guard text(index) == "import", text(index - 1) != "." else { return nil }
            var first = index
            while first > 0, tokens[first - 1].line == tokens[index].line { first -= 1 }
            var attributes: Set<String> = []
            var access: String?
            for place in first..<index where tokens[place].kind == .word {
                if text(place - 1) == "@" {
                    attributes.insert(text(place))
                } else {
                    access = text(place)
                }
            }
            let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let module = kinds.contains(text(index + 1)) ? text(index + 2) : text(index + 1)
            return Import(
                module: module, access: access, attributes: attributes, line: tokens[index].line)
        }
    }
}

/// Imports point the way the design says.
enum ImportRule {
    /// The targets whose declarations reach users of the library.
    private static let publicFolders = ["Sources/Client/", "Sources/Wire/"]
    private static let accessWords: Set<String> = ["public", "package", "internal", "private"]

    static func check(_ file: SwiftFile) -> [Finding] {
        guard file.path.hasPrefix("Sources/") else { return checkTest(file) }
        guard let layer = ImportTable.layers.first(where: { file.path.hasPrefix($0.folder) }) else {
            return [file.finding(1, "this folder is not in the import table")]
        }
        let allowed = layer.modules.union(ImportTable.everywhere)
            .union(layer.exceptions[file.path] ?? [])
        return file.source.imports().flatMap { found -> [Finding] in
            var findings: [Finding] = []
            if !allowed.contains(found.module) {
                findings.append(
                    file.finding(found.line, "\(layer.folder) may not import \(found.module)"))
            }
            return findings + checkAccess(found, file)
        }
    }

    private static func checkAccess(_ found: Import, _ file: SwiftFile) -> [Finding] {
        var findings: [Finding] = []
        if let access = found.access, !accessWords.contains(access) {
            findings.append(file.finding(found.line, "\(access) is no access level of an import"))
        }
        let isPublic = publicFolders.contains { file.path.hasPrefix($0) }
        if found.access == "public", !isPublic {
            findings.append(
                file.finding(found.line, "only Client and Wire have an interface to the public"))
        }
        if found.attributes.contains("_exported"), !isPublic {
            findings.append(file.finding(found.line, "only Client re-exports a module"))
        }
        for attribute in ["testable", "_implementationOnly"]
        where found.attributes.contains(attribute) {
            findings.append(file.finding(found.line, "@\(attribute) import: `package` is enough"))
        }
        if found.attributes.contains("preconcurrency"), file.source.commentAbove(found.line).isEmpty
        {
            findings.append(file.finding(found.line, "@preconcurrency: say directly above why"))
        }
        return findings
    }

    private static func checkTest(_ file: SwiftFile) -> [Finding] {
        file.source.imports().compactMap { found in
            guard found.module == "XCTest" else { return nil }
            return file.finding(found.line, "XCTest: the tests are Swift Testing's")
        }
    }
}
