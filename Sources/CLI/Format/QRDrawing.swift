/// Draws a QR code with half blocks, two modules to a character cell.
package enum QRDrawing {
    /// The columns and the lines that the drawing takes, the white around it included.
    package static func extent(_ matrix: QRMatrix) -> (columns: Int, lines: Int) {
        let side = matrix.size + 2 * CommandLimits.quietZoneModules
        return (side, (side + 1) / 2)
    }

    /// The lines of the drawing.
    ///
    /// With colours it is black on white whatever the terminal's own colours are. Without, light
    /// modules are drawn as blocks, which is right on a dark background, as most terminals and logs
    /// have; on a light one the code is its own inverse, which not every reader takes.
    package static func lines(_ matrix: QRMatrix, style: Style) -> [String] {
        let margin = CommandLimits.quietZoneModules
        let (columns, lines) = extent(matrix)
        return (0..<lines).map { line in
            let row = 2 * line - margin
            let cells = (0..<columns).map { column in
                cell(
                    upper: matrix.isDark(row: row, column: column - margin),
                    lower: matrix.isDark(row: row + 1, column: column - margin),
                    inkIsDark: style.isColoured)
            }
            guard style.isColoured else { return String(cells) }
            return "\u{1B}[38;5;16;48;5;231m\(String(cells))\u{1B}[0m"
        }
    }

    private static func cell(upper: Bool, lower: Bool, inkIsDark: Bool) -> Character {
        switch (upper == inkIsDark, lower == inkIsDark) {
        case (true, true): "█"
        case (true, false): "▀"
        case (false, true): "▄"
        case (false, false): " "
        }
    }

    /// Whether the drawing would be seen as meant.
    ///
    /// The terminal must be wide enough and the locale, if there is one, of UTF-8; a file or pipe
    /// takes any drawing.
    package static func fits(
        _ matrix: QRMatrix, sink: any TextSink, variables: [String: String]
    ) -> Bool {
        guard sink.isTerminal else { return true }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
            .compactMap { variables[$0] }.first { !$0.isEmpty }
        if let locale, !locale.uppercased().contains("UTF") { return false }
        guard let columns = sink.columns else { return true }
        return extent(matrix).columns <= columns
    }
}
