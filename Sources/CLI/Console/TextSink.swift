/// Somewhere text can be written.
package protocol TextSink: Sendable {
    /// Whether a person's terminal is behind it.
    var isTerminal: Bool { get }

    /// How many columns the terminal has; nil if there is none or it does not say.
    var columns: Int? { get }

    /// Writes the text, or nothing once the reader has gone.
    /// - Returns: Whether somebody still reads.
    @discardableResult
    func write(_ text: String) -> Bool
}
