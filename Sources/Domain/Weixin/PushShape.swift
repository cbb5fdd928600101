/// The narrow form of XML that pushes have, checked before a general parser sees them.
///
/// Only tags of ASCII names without attributes, text, and CDATA sections: no document type (and so
/// no entities of its own), no namespaces, comments or processing instructions, no bytes that are
/// not UTF-8. Foundation's parser traps on some element names that are not UTF-8, and every form
/// not let through is one less to rely on.
enum PushShape {
    /// Whether the bytes have that form; says nothing about whether tags match.
    static func isPush(_ xml: [UInt8]) -> Bool {
        guard String(validating: xml, as: UTF8.self) != nil else { return false }
        var rest = xml[...]
        if rest.starts(with: [0xef, 0xbb, 0xbf]) { rest = rest.dropFirst(3) }
        rest = rest.drop(while: isSpace)
        if rest.starts(with: Array("<?xml ".utf8)) {
            guard let afterDeclaration = dropDeclaration(rest) else { return false }
            rest = afterDeclaration.drop(while: isSpace)
        }
        return rest.starts(with: Array("<xml>".utf8)) && hasPlainMarkup(rest)
    }

    /// Passes over `<?xml … ?>`, which may name no encoding but UTF-8.
    private static func dropDeclaration(_ xml: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let end = xml.firstIndex(of: UInt8(ascii: ">")) else { return nil }
        let words = String(decoding: xml[..<end], as: UTF8.self).lowercased()
        guard !words.contains("encoding") || words.contains("utf-8") else { return nil }
        return xml[(end + 1)...]
    }

    private static func hasPlainMarkup(_ xml: ArraySlice<UInt8>) -> Bool {
        let (opening, closing) = (Array("<![CDATA[".utf8), Array("]]>".utf8))
        var index = xml.startIndex
        while let start = xml[index...].firstIndex(of: UInt8(ascii: "<")) {
            if xml[start...].starts(with: opening) {
                guard let end = firstIndex(of: closing, in: xml[(start + opening.count)...]) else {
                    return false
                }
                index = end + closing.count
            } else {
                guard let end = xml[start...].firstIndex(of: UInt8(ascii: ">")),
                    isPlainTag(xml[(start + 1)..<end])
                else { return false }
                index = end + 1
            }
        }
        return true
    }

    /// A name with a slash before or after it, or none.
    private static func isPlainTag(_ tag: ArraySlice<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        var name = tag
        if name.first == slash {
            name = name.dropFirst()
        } else if name.last == slash {
            name = name.dropLast()
        }
        guard let first = name.first, isLetter(first) else { return false }
        return name.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
    }

    private static func firstIndex(of pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        var rest = bytes
        while let start = rest.firstIndex(of: pattern[0]) {
            if rest[start...].starts(with: pattern) { return start }
            rest = rest[(start + 1)...]
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte)
    }
}
