/// What a command says: results on standard output, everything else on standard error.
package struct Console: Sendable {
    /// Where results go.
    package let output: any TextSink

    /// Where progress, prompts and errors go.
    package let errors: any TextSink

    /// Whether the results may be coloured.
    package let outputStyle: Style

    /// Whether prompts and errors may be coloured.
    package let errorStyle: Style

    /// Makes a console; colours appear on terminals alone, and never if the environment has a
    /// non-empty `NO_COLOR` (<https://no-color.org>) or `TERM=dumb`.
    package init(output: any TextSink, errors: any TextSink, variables: [String: String]) {
        let refused = !variables["NO_COLOR", default: ""].isEmpty || variables["TERM"] == "dumb"
        self.output = output
        self.errors = errors
        outputStyle = Style(isColoured: output.isTerminal && !refused)
        errorStyle = Style(isColoured: errors.isTerminal && !refused)
    }

    /// Writes a line of results.
    /// - Returns: Whether somebody still reads.
    @discardableResult
    package func line(_ text: String = "") -> Bool { output.write(text + "\n") }

    /// Writes a part of a line of results.
    /// - Returns: Whether somebody still reads.
    @discardableResult
    package func part(_ text: String) -> Bool { output.write(text) }

    /// Writes one JSON document on its own line.
    /// - Returns: Whether somebody still reads.
    @discardableResult
    package func json(_ value: JSONValue) -> Bool { output.write(value.text + "\n") }

    /// Writes a line to standard error.
    package func note(_ text: String) { errors.write(text + "\n") }

    /// Shows, on a terminal only, one line of progress in the place of the one before.
    package func progress(_ text: String) {
        guard errors.isTerminal else { return }
        errors.write("\r\u{1B}[2K\(text)")
    }

    /// Takes the line of progress away.
    package func endProgress() {
        guard errors.isTerminal else { return }
        errors.write("\r\u{1B}[2K")
    }

    /// Writes a prompt on standard error, if a person is there to see it.
    package func prompt(_ text: String) {
        guard errors.isTerminal else { return }
        errors.write(text)
    }
}

/// How text is emphasised; without colours it is left as it is.
package struct Style: Sendable, Hashable {
    /// Whether escape sequences may be written.
    package let isColoured: Bool

    /// Makes a style.
    package init(isColoured: Bool) { self.isColoured = isColoured }

    /// A heading.
    package func bold(_ text: String) -> String { wrap(text, "1") }
    /// Something of less weight.
    package func dim(_ text: String) -> String { wrap(text, "2") }
    /// Something that went wrong.
    package func red(_ text: String) -> String { wrap(text, "31") }
    /// Something that went well.
    package func green(_ text: String) -> String { wrap(text, "32") }
    /// Something to look at.
    package func yellow(_ text: String) -> String { wrap(text, "33") }

    private func wrap(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
