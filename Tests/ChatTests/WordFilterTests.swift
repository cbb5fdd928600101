import Chat
import Testing

@Suite("Sensitive words")
struct WordFilterTests {
    private func masking(_ words: String...) -> WordFilter {
        WordFilter(words.map { SensitiveWord(word: $0, action: .mask) })
    }

    @Test(
        arguments: [
            ("nothing here", "nothing here"), ("secret", "******"), ("a secret.", "a ******."),
            ("SeCrEt", "******"), ("ｓｅｃｒｅｔ", "******"), ("ＳＥＣＲＥＴ!", "******!"),
            ("secre", "secre"), ("secretsecret", "************"), ("ssecret", "s******"),
            ("sec\u{200b}ret", "******"), ("sec ret", "sec ret"), ("say 敏感词 now", "say *** now"),
            ("敏感", "敏感"), ("敏敏感词", "敏***"), ("", ""), ("ÉTÉ", "***"), ("été", "***"),
            ("ПРИВЕТ", "******"), ("😀", "*"), ("👍🏽 ok", "👍🏽 ok"),
        ])
    func wordsAreFoundWhateverTheirWidthAndCase(text: String, expected: String) {
        let filter = masking("Secret", "敏感词", "été", "привет", "😀")
        #expect(filter.masked(text) == expected)
        switch filter.judge(text) {
        case .clean: #expect(text == expected)
        case .masked(let masked): #expect(masked == expected && masked != text)
        case .refused: Issue.record("nothing refuses here")
        }
    }

    @Test func overlappingAndNestedWordsAreMaskedTogether() {
        #expect(masking("abcd", "cdef").masked("xabcdefx") == "x******x")
        #expect(masking("he", "she", "hers").masked("ushers") == "u*****")
        #expect(masking("b", "abc").masked("abx abc") == "a*x ***")
        #expect(masking("aa").masked("aaab") == "***b")
        #expect(masking("bc", "abcd").masked("abce") == "a**e")
    }

    @Test func textAroundAWordStaysAsItWasWritten() {
        #expect(masking("bad").masked("Ｘ ＢＡＤ É\u{200b}Ｙ") == "Ｘ *** É\u{200b}Ｙ")
    }

    @Test func aRefusingWordRefusesAQuestionAndIsMaskedInAnAnswer() {
        let filter = WordFilter([
            SensitiveWord(word: "bomb", action: .refuse), SensitiveWord(word: "om", action: .mask),
        ])
        #expect(filter.judge("a bOMb") == .refused)
        #expect(filter.judge("ohm, om") == .masked("ohm, **"))
        #expect(filter.masked("a bomb, ok") == "a ****, ok")
    }

    @Test func aRefusingWordInsideALongerMaskedOneStillRefuses() {
        let filter = WordFilter([
            SensitiveWord(word: "bcd", action: .mask), SensitiveWord(word: "c", action: .refuse),
        ])
        #expect(filter.judge("abx") == .clean)
        #expect(filter.judge("bcd") == .refused)
    }

    @Test func anEmptyFilterChangesNothing() {
        let filter = WordFilter([SensitiveWord(word: "\u{200b}", action: .refuse)])
        #expect(filter.isEmpty)
        #expect(filter.judge("anything\u{200b}") == .clean)
        #expect(filter.masked("anything\u{200b}") == "anything\u{200b}")
    }

    @Test(
        arguments: [
            ("ＡＢＣ　ｄ", "abc d"), ("Straße", "straße"), ("a\u{ad}b\u{feff}c", "abc"), ("İ", "İ"),
            ("中文", "中文"), ("～", "~"),
        ])
    func wordsAreComparedInNormalForm(word: String, normal: String) {
        // Either holds the other, so that they are one.
        for (word, text) in [(word, normal), (normal, word), (normal, normal)] {
            let filter = WordFilter([SensitiveWord(word: word, action: .refuse)])
            #expect(filter.judge(text) == .refused)
        }
    }

    @Test(arguments: [("strasse", "Straße"), ("i", "İ"), ("～～", "~"), ("中 文", "中文")])
    func theNormalFormMakesNoOtherWords(word: String, text: String) {
        #expect(WordFilter([SensitiveWord(word: word, action: .refuse)]).judge(text) == .clean)
    }

    /// Feeds pieces and compares what each gives, then what the end gives.
    private func expectStream(
        _ filter: WordFilter, _ pieces: [(fed: String, given: String)], end: String
    ) {
        var stream = StreamingWordFilter(filter)
        for piece in pieces {
            let given = stream.feed(piece.fed)
            #expect(given == piece.given, "fed \(piece.fed)")
        }
        let rest = stream.finish()
        #expect(rest == end)
    }

    @Test func aWordCutAcrossPiecesIsMaskedWhole() {
        expectStream(
            masking("secret"),
            [("my se", "my "), ("cr", ""), ("et is", "****** i"), (" se", "s ")], end: "se")
    }

    @Test func onlyWhatMayBecomeAWordIsHeldBack() {
        expectStream(
            masking("abcd", "cx"),
            [
                ("abc", ""),
                // `abc` is dead now, but the new `c` may still become `cx`.
                ("c", "abc"), ("x", "**"), ("plain text, nothing held", "plain text, nothing held"),
            ], end: "")
    }

    @Test func invisibleCharactersHoldBackNoMoreThanABoundedRun() {
        let run = String(repeating: "\u{200b}", count: 16)
        expectStream(
            masking("ab"),
            [("a" + run, ""), ("\u{200b}", "a" + run + "\u{200b}"), ("b", "b")], end: "")
        expectStream(masking("ab"), [("a" + run, ""), ("b", "**")], end: "")
    }

    @Test func anAnswerEndsWithItsStream() {
        var stream = StreamingWordFilter(masking("ab"))
        let pieces = [stream.feed("a"), stream.finish(), stream.feed("b")]
        #expect(pieces == ["", "a", "b"])
    }

    /// Random words and texts over a small alphabet, cut anywhere, against a filter that looks for
    /// every word at every place.
    @Test func everyCuttingGivesWhatSearchingEveryPlaceGives() {
        var numbers = SeededNumbers(seed: 20)
        let letters = Array("abAＢ中")
        func text(_ lengths: ClosedRange<Int>) -> String {
            let length = Int.random(in: lengths, using: &numbers)
            return String((0..<length).compactMap { _ in letters.randomElement(using: &numbers) })
        }
        for _ in 0..<2_000 {
            let words = (0..<Int.random(in: 1...5, using: &numbers)).map { _ in text(1...4) }
            let whole = text(0...24)
            let filter = WordFilter(words.map { SensitiveWord(word: $0, action: .mask) })
            let expected = Self.maskedByTrying(words, in: whole)
            #expect(filter.masked(whole) == expected)
            var stream = StreamingWordFilter(filter)
            var result = ""
            var rest = Substring(whole)
            while !rest.isEmpty {
                let count = Int.random(in: 1...4, using: &numbers)
                result += stream.feed(String(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(result + stream.finish() == expected, "\(words) in \(whole)")
        }
    }

    private static func maskedByTrying(_ words: [String], in text: String) -> String {
        let plain = Array(normal(text))
        var isMasked = [Bool](repeating: false, count: plain.count)
        for word in words.map({ Array(normal($0)) }) where word.count <= plain.count {
            for start in 0...(plain.count - word.count)
            where Array(plain[start..<(start + word.count)]) == word {
                for place in start..<(start + word.count) { isMasked[place] = true }
            }
        }
        return String(zip(text, isMasked).map { $1 ? "*" : $0 })
    }

    private static func normal(_ text: String) -> String {
        String(text.lowercased().map { $0 == "Ｂ" || $0 == "ｂ" ? "b" : $0 })
    }
}
