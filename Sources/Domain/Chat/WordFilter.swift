/// Finds sensitive words, whatever their width and letter case, in one pass over the text
/// (Aho–Corasick).
///
/// A word is compared in normal form: full-width forms as their ASCII counterparts, letters in
/// lower case where that is one character, characters that show nothing dropped. In questions, a
/// word refuses or is masked as its action says; in answers, which cannot be refused any more,
/// every word is masked. A masked word has one asterisk for each of its characters.
package struct WordFilter: Sendable {
    /// What a question's text is worth.
    package enum Finding: Hashable, Sendable {
        /// No word in it.
        case clean
        /// The text with its words replaced.
        case masked(String)
        /// A word that refuses the question.
        case refused
    }

    /// A state of the automaton: a prefix of a word.
    private struct Node: Sendable {
        /// Characters of the prefix.
        var depth: Int
        /// The longest proper suffix that is a prefix too.
        var fallback = 0
        /// Characters of the longest word to mask in questions that ends here; 0 is none.
        var longestMasked = 0
        /// Characters of the longest word that ends here; 0 is none.
        var longest = 0
        /// Whether a word that refuses ends here.
        var refuses = false
    }

    private var nodes = [Node(depth: 0)]
    private var transitions = TransitionTable()

    /// A bit for each value, modulo 4,096, of a word's first character: nearly every character of a
    /// text begins no word, and this says so without a look into the table.
    private var beginnings = [UInt64](repeating: 0, count: 64)

    /// Builds the automaton; words are brought into normal form, empty ones are left out.
    package init(_ words: [SensitiveWord]) {
        for word in words { insert(word) }
        linkFallbacks()
    }

    /// Whether there are no words.
    package var isEmpty: Bool { nodes.count == 1 }

    /// Judges a question's text.
    package func judge(_ text: String) -> Finding {
        guard !isEmpty else { return .clean }
        // Most texts hold no word: looking alone is far cheaper than writing the text anew.
        var position = WordPosition()
        var holdsMasked = false
        for scalar in text.unicodeScalars {
            guard let node = position.advance(by: scalar, in: self) else { continue }
            if refuses(at: node) { return .refused }
            if maskLength(at: node, masksEveryWord: false) > 0 { holdsMasked = true }
        }
        guard holdsMasked else { return .clean }
        var scan = WordScan(filter: self, masksEveryWord: false)
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scan.feed(scalar, into: &result) }
        scan.finish(into: &result)
        return .masked(String(result))
    }

    /// An answer's text with every word masked.
    package func masked(_ text: String) -> String {
        var stream = StreamingWordFilter(self)
        return stream.feed(text) + stream.finish()
    }

    private mutating func insert(_ word: SensitiveWord) {
        var node = 0
        for scalar in word.word.unicodeScalars.compactMap(Self.normalized) {
            if let next = transitions.target(of: node, by: scalar) {
                node = next
            } else {
                nodes.append(Node(depth: nodes[node].depth + 1))
                if node == 0 {
                    beginnings[Self.place(of: scalar)] |= 1 << UInt64(scalar.value & 63)
                }
                transitions.insert(nodes.count - 1, of: node, by: scalar)
                node = nodes.count - 1
            }
        }
        guard node != 0 else { return }
        nodes[node].longest = nodes[node].depth
        switch word.action {
        case .mask: nodes[node].longestMasked = nodes[node].depth
        case .refuse: nodes[node].refuses = true
        }
    }

    /// Gives each node its fallback, shallow nodes first, and what ends at the fallback ends here.
    private mutating func linkFallbacks() {
        let byDepth = transitions.all.sorted { nodes[$0.target].depth < nodes[$1.target].depth }
        for (parent, scalar, child) in byDepth where parent != 0 {
            let fallback = node(after: scalar, from: nodes[parent].fallback)
            nodes[child].fallback = fallback
            let ending = nodes[fallback]
            nodes[child].longest = max(nodes[child].longest, ending.longest)
            nodes[child].longestMasked = max(nodes[child].longestMasked, ending.longestMasked)
            nodes[child].refuses = nodes[child].refuses || ending.refuses
        }
    }
}

extension WordFilter {
    /// The state after one more character in normal form.
    func node(after scalar: Unicode.Scalar, from start: Int) -> Int {
        var node = start
        while true {
            if node == 0, !mayBegin(with: scalar) { return 0 }
            if let next = transitions.target(of: node, by: scalar) { return next }
            guard node != 0 else { return 0 }
            node = nodes[node].fallback
        }
    }

    /// Whether a word may begin with a character; false is certain.
    private func mayBegin(with scalar: Unicode.Scalar) -> Bool {
        beginnings[Self.place(of: scalar)] & (1 << UInt64(scalar.value & 63)) != 0
    }

    private static func place(of scalar: Unicode.Scalar) -> Int { Int(scalar.value >> 6 & 63) }

    /// Characters of the prefix a state stands for: what may still become a word.
    func depth(of node: Int) -> Int { nodes[node].depth }

    /// Characters of the longest word to mask that ends in a state; 0 is none.
    func maskLength(at node: Int, masksEveryWord: Bool) -> Int {
        masksEveryWord ? nodes[node].longest : nodes[node].longestMasked
    }

    /// Whether a word that refuses ends in a state.
    func refuses(at node: Int) -> Bool { nodes[node].refuses }

    /// A character in normal form; nil if it shows nothing.
    static func normalized(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar.value {
        case 0x41...0x5a: return Unicode.Scalar(scalar.value + 0x20)
        case 0x20...0x7e: return scalar
        case 0x3000: return " "
        // Soft hyphen, zero-width spaces and joiners, directional marks, word joiner, byte order
        // mark, variation selectors.
        case 0xad, 0x200b...0x200f, 0x202a...0x202e, 0x2060...0x2064, 0xfe00...0xfe0f, 0xfeff:
            return nil
        case 0x2e80...0xd7ff: return scalar
        case 0xff01...0xff5e:
            return Unicode.Scalar(scalar.value - 0xfee0).flatMap(normalized)
        default:
            let lower = scalar.properties.lowercaseMapping.unicodeScalars
            return lower.count == 1 ? lower.first : scalar
        }
    }
}
