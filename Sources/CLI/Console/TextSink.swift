/// Somewhere text can be written.
package protocol TextSink: Sendable {
    /// Whether a person's terminal is behind it.
    var isTerminal: Bool { get }

    /// How many columns the terminal has; nil if there is none or it does not say.
    var columns: Int? { get }

    /// Why what was written got lost, in the system's words; nil if nothing did, or if it was only
    /// that the reader had gone.
    var problem: String? { get }

    /// Writes the text, or nothing once the reader has gone.
    /// - Returns: Whether somebody still reads.
    @discardableResult
    func write(_ text: String) -> Bool
}

extension TextSink {
    /// Most places lose nothing.
    package var problem: String? { nil }
}
