/// What no source may hold, and where the few exceptions are.
enum BannedCode {
    /// The only files that may start a task of their own, each with what keeps its tasks in hand.
    static let taskStarters: [String: String] = [
        "Sources/RPC/CallTask.swift": "one a call; the connection's table cancels and awaits it",
        "Sources/ClientC/BlockingCall.swift": "one a call from C, whose thread waits for it",
    ]

    /// Calls that end the process, or write past the output types.
    private static let calls: [String: String] = [
        "fatalError": "answer with an error; a broken invariant is a precondition with a sentence",
        "print": "write through the command line's output, or a logger",
        "debugPrint": "write through the command line's output, or a logger",
        "NSLog": "write through a logger",
    ]

    /// Traps, prints and forced values in a source.
    static func traps(_ file: SwiftFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            let next = file.source.text(index + 1)
            let previous = file.source.text(index - 1)
            if token.kind == .word, next == "(", previous != ".", previous != "func",
                let instead = calls[token.text]
            {
                return file.finding(token.line, "\(token.text)(…): \(instead)")
            }
            guard token.kind == .symbol, token.text == "!", !token.followsSpace else { return nil }
            if previous == "try" { return file.finding(token.line, "try!: handle the error") }
            if previous == "as" { return file.finding(token.line, "as!: use as? and handle nil") }
            guard isForcedValue(file, index) else { return nil }
            return file.finding(token.line, "\(previous)!: unwrap it and handle nil")
        }
    }

    private static func isForcedValue(_ file: SwiftFile, _ index: Int) -> Bool {
        guard index > 0 else { return false }
        let previous = file.tokens[index - 1]
        let endsValue =
            previous.kind != .symbol || [")", "]", "}", "?", ">"].contains(previous.text)
        let isUnequal =
            file.source.text(index + 1) == "=" && !file.tokens[index + 1].followsSpace
        return endsValue && !isUnequal
    }

    /// Tasks started outside the files that may.
    static func looseTasks(_ file: SwiftFile) -> [Finding] {
        guard taskStarters[file.path] == nil else { return [] }
        return file.tokens.indices.compactMap { index in
            guard file.tokens[index].text == "Task", file.source.text(index - 1) != ".",
                startsTask(file.source, index + 1)
            else { return nil }
            return file.finding(
                file.tokens[index].line,
                "a loose task: use a task group, or the place the design names")
        }
    }

    private static func startsTask(_ source: LexedSource, _ index: Int) -> Bool {
        switch source.text(index) {
        case "{", "(": return true
        case ".":
            return ["detached", "immediate", "immediateDetached", "init"]
                .contains(source.text(index + 1))
        case "<":
            var depth = 0
            for place in index..<source.tokens.count {
                if source.text(place) == "<" { depth += 1 }
                if source.text(place) == ">", source.text(place - 1) != "-" { depth -= 1 }
                if depth == 0 { return startsTask(source, place + 1) }
            }
            return false
        default: return false
        }
    }

    /// Promises to the compiler that do not say why they hold.
    static func unexplainedPromises(_ file: SwiftFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let source = file.source
            if source.text(index) == "@", source.text(index + 1) == "unchecked" {
                let types = ["class", "struct", "enum", "extension", "actor"]
                guard let keyword = (0..<index).last(where: { types.contains(source.text($0)) })
                else { return nil }
                let comment =
                    source.commentAbove(source.firstLine(ofDeclarationAt: keyword))
                    + source.commentBelow(file.tokens[index].line)
                let explains = comment.contains {
                    $0.contains("Sendable") || $0.lowercased().contains("unchecked")
                }
                return explains
                    ? nil
                    : file.finding(
                        file.tokens[index].line,
                        "@unchecked Sendable: say directly above or below why it is Sendable")
            }
            if source.text(index) == "nonisolated", source.text(index + 1) == "(",
                source.text(index + 2) == "unsafe",
                source.commentAbove(file.tokens[index].line).isEmpty
            {
                return file.finding(
                    file.tokens[index].line, "nonisolated(unsafe): say directly above why it holds")
            }
            return nil
        }
    }

    /// Notes of unfinished work: an issue is the place for them.
    ///
    /// The marks count as whole words: `\\uXXXX` in a sentence is none.
    static func unfinished(_ file: SwiftFile) -> [Finding] {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
        guard marks.contains(where: { TextRules.holds(file.file.text, $0) }) else { return [] }
        return file.source.comments.compactMap { line, comment in
            let words = comment.split { !$0.isLetter && $0 != "_" }
            return marks.first { words.contains(Substring($0)) }
                .map { file.finding(line, "\($0): finish it, or open an issue") }
        }
        .sorted { $0.line < $1.line }
    }
}
