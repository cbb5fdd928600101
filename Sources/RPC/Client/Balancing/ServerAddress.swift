/// A host, by name or by number, and a port.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host's name or number, without brackets.
    package let host: String
    /// The port.
    package let port: Int
    /// The name that ``host`` was resolved from; nil if it was given as it is.
    ///
    /// What the server's certificate has to bear.
    package let name: String?
    /// Host and port in one number: each call looks its address up three times.
    private let digest: Int

    /// Makes an address.
    package init(host: String, port: Int, name: String? = nil) {
        self.host = host
        self.port = port
        self.name = name
        var hasher = Hasher()
        hasher.combine(host)
        hasher.combine(port)
        digest = hasher.finalize()
    }

    /// Feeds a digest of host and port.
    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    /// Reads one address, such as `db.internal:7400` or `[::1]:7400`; nil if it is none.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (1...65_535).contains(port)
        else { return nil }
        let host = text[..<colon]
        let isBracketed = host.first == "[" && host.last == "]" && host.count > 2
        // Without brackets it is open where a number of many colons ends.
        guard isBracketed || !host.contains(":") else { return nil }
        let bare = isBracketed ? host.dropFirst().dropLast() : host[...]
        let isClean = bare.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: ",") }
        guard !bare.isEmpty, isClean, !bare.contains("["), !bare.contains("]") else { return nil }
        self.init(host: String(bare), port: port)
    }

    /// As it is written in settings.
    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
