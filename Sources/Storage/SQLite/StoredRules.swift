/// The CHECKs of a SQLite store's tables, and the conditions of its indexes.
///
/// A connection that only reads leaves CHECKs out when it reads the schema, so `integrity_check`
/// calls a row fine there that no write could have made. The rules are therefore taken from the
/// schema's texts and asked as queries (``TableAudit``), over the same state as the rest.
enum StoredRules {
    /// The conditions of a table's CHECKs, in their order: what stands between the parentheses.
    ///
    /// Quoted texts and comments are passed over, whatever they hold.
    static func rules(in text: String) -> [String] {
        let bytes = Array(text.utf8)
        var rules: [String] = []
        var start: Int?
        var depth = 0
        var depthOfRule = 0
        var word: [UInt8] = []
        var isAwaited = false
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            let end = endOfPassage(bytes, place)
            if end > place {
                (word, isAwaited) = ([], false)
                place = end
                continue
            }
            if isPartOfWord(byte) {
                word.append(byte | 0x20)
                isAwaited = false
            } else {
                if word == Array("check".utf8) { isAwaited = true }
                word = []
                if byte == UInt8(ascii: "(") {
                    depth += 1
                    if isAwaited, start == nil { (start, depthOfRule) = (place + 1, depth) }
                } else if byte == UInt8(ascii: ")") {
                    if let first = start, depth == depthOfRule {
                        rules.append(String(decoding: bytes[first..<place], as: UTF8.self))
                        start = nil
                    }
                    depth -= 1
                }
                if !isSpace(byte) { isAwaited = false }
            }
            place += 1
        }
        return rules
    }

    /// The condition of an index of some rows: what stands behind its WHERE; nil if it has none.
    static func condition(in text: String) -> String? {
        let bytes = Array(text.utf8)
        var depth = 0
        var place = 0
        while place < bytes.count {
            var end = endOfPassage(bytes, place)
            if end > place {
                place = end
                continue
            }
            end = bytes[place...].firstIndex { !isPartOfWord($0) } ?? bytes.count
            if depth == 0, bytes[place..<end].map({ $0 | 0x20 }) == Array("where".utf8) {
                return String(decoding: bytes[end...], as: UTF8.self)
            }
            if bytes[place] == UInt8(ascii: "(") { depth += 1 }
            if bytes[place] == UInt8(ascii: ")") { depth -= 1 }
            place = max(end, place + 1)
        }
        return nil
    }

    /// Where a quoted text or a comment that begins here ends; here if none does.
    private static func endOfPassage(_ bytes: [UInt8], _ place: Int) -> Int {
        switch bytes[place] {
        case UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"):
            // A doubled quote inside is the end of one passage and the beginning of the next.
            let end = bytes[(place + 1)...].firstIndex(of: bytes[place])
            return end.map { $0 + 1 } ?? bytes.count
        case UInt8(ascii: "-") where bytes[place...].starts(with: "--".utf8):
            return bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        default: return place
        }
    }

    private static func isPartOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
    }
}
