import Testing

/// The lexer under the rules: what is code, what is not.
@Suite struct LexerTests {
    private func words(_ text: String) -> [String] {
        LexedSource(text).tokens.filter { $0.kind == .word }.map(\.text)
    }

    @Test func `comments are no code`() {
        #expect(words("a // b\nc /* d /* e */ f */ g") == ["a", "c", "g"])
        #expect(LexedSource("a // b\n/* c\nd */ e").comments == [1: "// b", 2: "/* c", 3: "d */"])
    }

    @Test func `strings are no code, but their interpolations are`() {
        #expect(words(#"let a = "b \" c" + d"#) == ["let", "a", "d"])
        #expect(words(#"f("x \(g("y \(h)") + i) z")"#) == ["f", "g", "h", "i"])
        let long = "let t = \"\"\"\n  x \" y\n  \\(z)\n  \"\"\"\nend"
        #expect(words(long) == ["let", "t", "z", "end"])
    }

    @Test func `raw strings need their pounds`() {
        #expect(words(##"a(#"b \(c) " d"#, e)"##) == ["a", "e"])
        #expect(words(##"a(#"b \#(c) " d"#, e)"##) == ["a", "c", "e"])
    }

    @Test func `a bare regular expression is no code, a division is`() {
        #expect(words("let r = /a(b)!/\ns = c / d / e") == ["let", "r", "s", "c", "d", "e"])
        #expect(words("x.split(#/ab\"c/#, d)") == ["x", "split", "d"])
    }

    @Test func `a sentence in backticks is one word`() {
        let name = "`fatalError( is } a name`"
        #expect(words("func \(name)() {}") == ["func", name])
    }

    @Test func `lines are counted through everything`() {
        let source = LexedSource("a\n\"\"\"\n\n\"\"\"\n/*\n*/ b")
        #expect(source.tokens.map(\.line) == [1, 2, 6])
    }

    @Test func `broken text gives tokens, never a trap`() {
        let broken = ["\"", "\"\\", "\"\\(", "/*", "#\"", "`", "/* /*", "\"\"\"", "#", "(", "é"]
        for text in broken + ["func", "init(", "var", "package", "import", "@", "<", ")", "}"] {
            let source = LexedSource(text)
            _ = source.functionBodies()
            _ = source.exposedDeclarations()
            _ = source.imports()
        }
    }

    @Test func `bodies are found with their extent`() {
        let source = LexedSource(
            """
            protocol P {
                func none(_ a: Int)
                var read: Int { get }
            }
            func one(
                a: () -> Void = { }
            ) async throws(E) -> [Int]
            where A: B {
                if x { y() }
            }
            var two: Int {
                1
            }
            let three = 3
            init(a: Int) { }
            """)
        let bodies = source.functionBodies().map { [$0.firstLine, $0.lastLine] }
        #expect(bodies == [[3, 3], [5, 10], [11, 13], [15, 15]])
    }
}
