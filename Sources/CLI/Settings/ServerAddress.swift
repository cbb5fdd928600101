/// Where a server listens.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address in its usual form, `host:port`, where an IPv6 host stands in brackets; or
    /// `unix:/path`.
    package let description: String

    /// Where `tollgate serve` and `tollgate up` listen if nobody says otherwise.
    package static let standard = "127.0.0.1:7400"

    /// Reads `host:port` or `unix:/path`.
    /// - Throws: A usage failure that names where the text came from.
    package init(_ text: String, from origin: String) throws(CommandFailure) {
        let failure = CommandFailure(
            .usage, "\(origin) is no address: \(TerminalText.line(text))",
            advice: "Write HOST:PORT, such as \(Self.standard), or unix:/PATH.")
        if text.hasPrefix("unix:/"), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) {
            description = text
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { throw failure }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        let inner = isBracketed ? host.dropFirst().dropLast() : host
        guard !inner.isEmpty, inner.allSatisfy({ $0.isASCII && $0 > " " && $0 != "/" }),
            !inner.contains(where: { $0 == "[" || $0 == "]" }),
            isBracketed || !inner.contains(":")
        else { throw failure }
        description = "\(host):\(port)"
    }
}
