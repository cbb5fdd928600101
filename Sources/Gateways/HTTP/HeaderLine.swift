/// One line of the head of an HTTP/1.1 answer, as curl hands it over.
struct HeaderLine {
    private let text: Substring

    init(_ bytes: UnsafeRawBufferPointer) {
        var count = bytes.count
        while count > 0, bytes[count - 1] == 0x0d || bytes[count - 1] == 0x0a { count -= 1 }
        text = String(decoding: bytes[..<count], as: UTF8.self)[...]
    }

    /// Whether the head ends here.
    var isBlank: Bool { text.isEmpty }

    /// The status, if this is a status line.
    var status: Int? {
        guard text.hasPrefix("HTTP/") else { return nil }
        let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard parts.count >= 2, parts[1].utf8.count == 3, let status = Int(parts[1]),
            (100...599).contains(status)
        else { return nil }
        return status
    }

    /// Name and value, if this is a header field.
    var field: (name: String, value: String)? {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return nil }
        let value = text[text.index(after: colon)...]
        return (String(text[..<colon]), Self.trimmed(value))
    }

    private static func trimmed(_ value: Substring) -> String {
        let bytes = value.utf8
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }),
            let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(value[first...last])
    }
}
