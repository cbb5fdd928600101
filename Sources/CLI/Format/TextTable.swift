/// Rows in aligned columns.
package struct TextTable: Sendable {
    /// How a column is laid out.
    package enum Alignment: Sendable {
        /// Words.
        case left
        /// Numbers.
        case right
        /// Words that give way when the terminal is narrow; at most one column.
        case flexible
    }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// Makes a table without rows.
    package init(_ columns: [(title: String, alignment: Alignment)]) {
        titles = columns.map(\.title)
        alignments = columns.map(\.alignment)
    }

    /// Adds a row; cells are made harmless for a terminal.
    package mutating func add(_ cells: [String]) {
        let row = cells.prefix(titles.count).map(TerminalText.line)
        rows.append(row + Array(repeating: "", count: titles.count - row.count))
    }

    /// The lines: a heading, then the rows, at most `columns` wide.
    ///
    /// Where not even the flexible column can make them fit, each row is told as names and values
    /// under one another: a terminal would break the lines of a table in the midst of its cells.
    package func lines(columns: Int?, style: Style) -> [String] {
        var widths = titles.indices.map { column in
            ([titles] + rows).map { DisplayWidth.of($0[column]) }.max() ?? 0
        }
        if let columns, let flexible = alignments.firstIndex(of: .flexible) {
            let others = widths.reduce(0, +) - widths[flexible] + 2 * (widths.count - 1)
            let narrowest = max(DisplayWidth.of(titles[flexible]), 8)
            widths[flexible] = min(widths[flexible], max(narrowest, columns - others))
        }
        if let columns, widths.reduce(0, +) + 2 * (widths.count - 1) > columns {
            return records(style: style)
        }
        return [style.bold(layOut(titles, widths))] + rows.map { layOut($0, widths) }
    }

    /// Every row as a block of names and values, with an empty line between two blocks.
    private func records(style: Style) -> [String] {
        let width = titles.map(DisplayWidth.of).max() ?? 0
        let blocks = rows.map { row in
            zip(titles, row).filter { !$0.1.isEmpty }.map { title, cell in
                "\(style.bold(DisplayWidth.pad(title, to: width)))  \(cell)"
            }
        }
        return Array(blocks.joined(separator: [""]))
    }

    private func layOut(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            if column > 0 { line += "  " }
            line += DisplayWidth.pad(
                DisplayWidth.truncate(cell, to: widths[column]), to: widths[column],
                isRightAligned: alignments[column] == .right)
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

extension Console {
    /// Writes a table as wide as the terminal, or a sentence if it has no rows.
    package func table(_ table: TextTable, ifEmpty sentence: String) {
        guard !table.isEmpty else {
            line(sentence)
            return
        }
        for text in table.lines(columns: output.columns, style: outputStyle) {
            guard line(text) else { return }
        }
    }

    /// Writes names and values, the values under one another.
    package func facts(_ facts: [(name: String, value: String)]) {
        let width = facts.map { DisplayWidth.of($0.name) }.max() ?? 0
        for fact in facts {
            let name = DisplayWidth.pad(fact.name, to: width)
            line("\(outputStyle.dim(name))  \(TerminalText.line(fact.value))")
        }
    }
}

extension TextTable {
    /// Whether there is no row.
    package var isEmpty: Bool { rows.isEmpty }
}
