/// Text from elsewhere, made harmless for a terminal.
package enum TerminalText {
    /// The text on one line without control characters, for a cell of a table or a message.
    package static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { isControl($0) ? " " : $0 }))
    }

    /// The text with its line ends and tabs, without other control characters: an answer could
    /// otherwise move the cursor, set the title or write to the clipboard.
    package static func block(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || !isControl($0) }))
    }

    /// C0 and C1 controls, DEL, and the marks that turn the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
