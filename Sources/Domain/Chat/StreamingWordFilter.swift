internal import TollgateKernel

/// Masks words in an answer that arrives in pieces.
///
/// Holds back only what may still become a word, so a word cut across pieces is masked whole and
/// everything else leaves at once. The pieces' results put together are the same however the text
/// was cut.
package struct StreamingWordFilter: Sendable {
    private var scan: WordScan

    /// Begins an answer.
    package init(_ filter: WordFilter) {
        scan = WordScan(filter: filter, masksEveryWord: true)
    }

    /// Takes a further piece; returns what is safe to show, perhaps nothing.
    package mutating func feed(_ delta: String) -> String {
        guard !scan.filter.isEmpty else { return delta }
        var safe = String.UnicodeScalarView()
        for scalar in delta.unicodeScalars { scan.feed(scalar, into: &safe) }
        return String(safe)
    }

    /// Ends the answer; returns what was held back.
    package mutating func finish() -> String {
        var safe = String.UnicodeScalarView()
        scan.finish(into: &safe)
        return String(safe)
    }
}

/// Where the automaton stands in a text.
struct WordPosition: Sendable {
    /// The state: the longest prefix of a word that ends here.
    private(set) var node = 0
    private var skippedInRow = 0

    /// Takes one character; returns the state after it, or nil if the character shows nothing.
    mutating func advance(by scalar: Unicode.Scalar, in filter: WordFilter) -> Int? {
        guard let normal = WordFilter.normalized(scalar) else {
            skippedInRow += 1
            if skippedInRow > Limits.skippedCharactersInWord { node = 0 }
            return nil
        }
        skippedInRow = 0
        node = filter.node(after: normal, from: node)
        return node
    }
}

/// One pass over a text: the automaton's state, and what cannot be given out yet.
struct WordScan: Sendable {
    /// A character that waits for what follows it.
    private struct Pending: Sendable {
        var scalar: Unicode.Scalar
        /// Whether it counts as a character of a word (else it shows nothing).
        var isVisible: Bool
        var isMasked = false
    }

    let filter: WordFilter
    private let masksEveryWord: Bool
    private var position = WordPosition()
    private var pending: [Pending] = []
    private var visiblePending = 0

    init(filter: WordFilter, masksEveryWord: Bool) {
        self.filter = filter
        self.masksEveryWord = masksEveryWord
    }

    /// Takes one character; appends those that no later one can change.
    mutating func feed(_ scalar: Unicode.Scalar, into output: inout String.UnicodeScalarView) {
        let node = position.advance(by: scalar, in: filter)
        // In the middle of no word: nothing has to wait.
        if node == 0, pending.isEmpty { return output.append(scalar) }
        pending.append(Pending(scalar: scalar, isVisible: node != nil))
        if let node {
            visiblePending += 1
            mask(last: filter.maskLength(at: node, masksEveryWord: masksEveryWord))
        }
        release(into: &output)
    }

    /// Gives out all that waits; the next character begins a new text.
    mutating func finish(into output: inout String.UnicodeScalarView) {
        position = WordPosition()
        release(into: &output)
    }

    /// Masks the last so many visible characters: they wait, being a prefix of a word, unless they
    /// were masked and given out before.
    private mutating func mask(last length: Int) {
        guard length > 0 else { return }
        var missing = length
        for index in pending.indices.reversed() where missing > 0 {
            pending[index].isMasked = true
            if pending[index].isVisible { missing -= 1 }
        }
    }

    /// Gives out what lies before the prefix that may still become a word, and what is masked
    /// already: no longer word can change that.
    private mutating func release(into output: inout String.UnicodeScalarView) {
        let kept = filter.depth(of: position.node)
        var count = 0
        while count < pending.count,
            visiblePending > kept || kept == 0 || pending[count].isMasked
        {
            let character = pending[count]
            if character.isVisible { visiblePending -= 1 }
            count += 1
            if !character.isMasked {
                output.append(character.scalar)
            } else if character.isVisible {
                output.append("*")
            }
        }
        pending.removeFirst(count)
    }
}
