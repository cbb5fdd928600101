/// A function, initialiser, subscript or computed property with a body.
struct FunctionBody: Hashable, Sendable {
    var name: String
    /// The line of its keyword.
    var firstLine: Int
    /// The line of its closing brace.
    var lastLine: Int

    var lineCount: Int { lastLine - firstLine + 1 }
}

/// A declaration with an access word before it, or a protocol's requirement.
struct Declaration: Hashable, Sendable {
    /// Such as `func` or `struct`.
    var keyword: String
    /// With argument labels for what is called: `decode(_:)`.
    var name: String
    var line: Int
    /// Whether a `///` comment with words in it stands directly above.
    var isDocumented: Bool
    /// Whether it stands in a protocol, which then documents it for every conforming type.
    var isRequirement = false
}

private let modifiers: Set<String> = [
    "package", "public", "open", "internal", "private", "fileprivate", "static", "class", "final",
    "override", "mutating", "nonmutating", "nonisolated", "isolated", "indirect", "lazy", "weak",
    "unowned", "required", "convenience", "dynamic", "optional", "borrowing", "consuming",
    "prefix", "postfix", "infix", "distributed", "sending",
]

private let declarationKeywords: Set<String> = [
    "func", "var", "let", "struct", "class", "enum", "protocol", "actor", "typealias", "init",
    "deinit", "subscript", "case", "macro", "associatedtype", "extension", "import",
]

extension LexedSource {
    /// The place of the token that closes the bracket at `open`; the last token if none does.
    func closing(_ open: Int) -> Int {
        let pairs = ["(": ")", "[": "]", "{": "}"]
        guard let close = pairs[tokens[open].text] else { return open }
        var depth = 0
        for index in open..<tokens.count where tokens[index].kind == .symbol {
            if tokens[index].text == tokens[open].text { depth += 1 }
            if tokens[index].text == close { depth -= 1 }
            if depth == 0 { return index }
        }
        return tokens.count - 1
    }

    private func opening(_ close: Int) -> Int {
        var depth = 0
        for index in stride(from: close, through: 0, by: -1) {
            if tokens[index].text == ")" { depth += 1 }
            if tokens[index].text == "(" { depth -= 1 }
            if depth == 0 { return index }
        }
        return 0
    }

    func text(_ index: Int) -> String {
        tokens.indices.contains(index) ? tokens[index].text : ""
    }

    func startsLine(_ index: Int) -> Bool {
        index == 0 || tokens[index - 1].line != tokens[index].line
    }

    // MARK: Bodies

    /// Every body with its extent; closures belong to the function they stand in.
    func functionBodies() -> [FunctionBody] {
        tokens.indices.compactMap { index in
            guard tokens[index].kind == .word, text(index - 1) != "." else { return nil }
            let open: Int?
            switch tokens[index].text {
            case "func", "init", "subscript", "deinit": open = bodyOfFunction(index)
            case "var", "let": open = bodyOfProperty(index)
            default: return nil
            }
            guard let open else { return nil }
            return FunctionBody(
                name: name(ofDeclarationAt: index), firstLine: tokens[index].line,
                lastLine: tokens[closing(open)].line)
        }
    }

    private func bodyOfFunction(_ keyword: Int) -> Int? {
        var index = keyword + 1
        while index < tokens.count {
            switch tokens[index].text {
            case "(", "[": index = closing(index)
            case "{": return index
            case "}", ";": return nil
            case let word where startsLine(index):
                if declarationKeywords.contains(word) || modifiers.contains(word) { return nil }
                if word == "@" || word == "#" { return nil }
            default: break
            }
            index += 1
        }
        return nil
    }

    private func bodyOfProperty(_ keyword: Int) -> Int? {
        var index = keyword + 1
        while index < tokens.count, tokens[index].text == "{" || !startsLine(index) {
            switch tokens[index].text {
            case "(", "[": index = closing(index)
            case "{": return index
            case "=": return text(index + 1) == "{" ? index + 1 : nil
            case "}", ";", ",", "in": return nil
            default: break
            }
            index += 1
        }
        return nil
    }

    // MARK: Names and access

    /// Every declaration that says `package` or `public`, and the requirements of such protocols.
    func exposedDeclarations() -> [Declaration] {
        var result: [Declaration] = []
        for index in tokens.indices where ["package", "public", "open"].contains(text(index)) {
            guard let keyword = keyword(after: index) else { continue }
            if text(keyword) == "import" || text(keyword) == "extension" { continue }
            result.append(declaration(keyword))
            if text(keyword) == "protocol" { result += requirements(ofProtocolAt: keyword) }
        }
        return result
    }

    /// The requirements of every protocol here, whatever its access.
    func protocolRequirements() -> [Declaration] {
        tokens.indices
            .filter { text($0) == "protocol" && text($0 - 1) != "." }
            .flatMap { requirements(ofProtocolAt: $0) }
    }

    private func requirements(ofProtocolAt keyword: Int) -> [Declaration] {
        guard let open = (keyword..<tokens.count).first(where: { text($0) == "{" }) else {
            return []
        }
        let end = closing(open)
        var result: [Declaration] = []
        var index = open + 1
        while index < end {
            let word = text(index)
            if word == "{" || word == "(" {
                index = closing(index)
            } else if ["func", "var", "init", "subscript", "associatedtype"].contains(word) {
                var requirement = declaration(index)
                requirement.isRequirement = true
                result.append(requirement)
            }
            index += 1
        }
        return result
    }

    private func declaration(_ keyword: Int) -> Declaration {
        Declaration(
            keyword: text(keyword), name: name(ofDeclarationAt: keyword),
            line: tokens[keyword].line, isDocumented: isDocumented(keyword))
    }

    /// The keyword that the access word at `index` belongs to; nil if it is no access word.
    private func keyword(after index: Int) -> Int? {
        var index = index + 1
        // `package(set) var`: the declaration's own access stands elsewhere.
        if text(index) == "(" { return nil }
        while index < tokens.count {
            let word = text(index)
            let isModifierClass = word == "class" && ["func", "var"].contains(text(index + 1))
            if declarationKeywords.contains(word), !isModifierClass { return index }
            guard modifiers.contains(word) else { return nil }
            index += 1
            if text(index) == "(" { index = closing(index) + 1 }
        }
        return nil
    }

    func name(ofDeclarationAt keyword: Int) -> String {
        var index = keyword
        var name = text(keyword)
        if name != "init", name != "subscript", name != "deinit" {
            index += 1
            name = text(index)
            while tokens.indices.contains(index), tokens[index].kind == .symbol,
                text(index + 1) != "(", tokens.indices.contains(index + 1),
                tokens[index + 1].kind == .symbol
            {
                index += 1
                name += text(index)
            }
        }
        guard ["func", "init", "subscript"].contains(text(keyword)) else { return name }
        while index < tokens.count, text(index) != "(" { index += 1 }
        guard index < tokens.count else { return name }
        return name + "(" + labels(openedAt: index) + ")"
    }

    private func labels(openedAt open: Int) -> String {
        let end = closing(open)
        var labels = ""
        var index = open + 1
        var expectsLabel = true
        while index < end {
            switch text(index) {
            case "(", "[", "{": index = closing(index)
            case ",": expectsLabel = true
            case "@":
                index += 1
            case let word where expectsLabel:
                labels += word + ":"
                expectsLabel = false
            default: break
            }
            index += 1
        }
        return labels
    }

    // MARK: Comments above

    /// The line on which a declaration begins, its attributes and modifiers counted.
    func firstLine(ofDeclarationAt keyword: Int) -> Int {
        var first = keyword
        while first > 0 {
            var before = first - 1
            if text(before) == ")" { before = opening(before) - 1 }
            if text(before) == ">", let open = (0..<before).last(where: { text($0) == "<" }) {
                before = open - 1
            }
            guard before >= 0 else { break }
            if modifiers.contains(text(before)) {
                first = before
            } else if text(before - 1) == "@" {
                first = before - 1
            } else if text(before - 1) == ".", text(before - 3) == "@" {
                first = before - 3
            } else {
                break
            }
        }
        return tokens[first].line
    }

    /// The comment lines directly above a line, from top to bottom.
    func commentAbove(_ line: Int) -> [String] {
        var result: [String] = []
        var above = line - 1
        while let comment = comments[above], !codeLines.contains(above) {
            result.insert(comment, at: 0)
            above -= 1
        }
        return result
    }

    /// The comment lines directly below a line, from top to bottom.
    func commentBelow(_ line: Int) -> [String] {
        var result: [String] = []
        while let comment = comments[line + 1 + result.count],
            !codeLines.contains(line + 1 + result.count)
        {
            result.append(comment)
        }
        return result
    }

    private func isDocumented(_ keyword: Int) -> Bool {
        commentAbove(firstLine(ofDeclarationAt: keyword)).contains { comment in
            comment.hasPrefix("///") && comment.dropFirst(3).contains { $0.isLetter }
        }
    }
}
