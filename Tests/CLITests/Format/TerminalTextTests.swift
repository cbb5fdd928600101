import CLI
import Testing

@Suite("Text from elsewhere")
struct TerminalTextTests {
    @Test func controlCharactersDoNotReachTheTerminal() {
        let hostile = "a\u{1B}]52;c;eA==\u{7}b\u{9B}2Jc\u{7F}\u{202E}d\r"
        #expect(TerminalText.block(hostile) == "a]52;c;eA==b2Jcd")
        #expect(TerminalText.line(hostile) == "a ]52;c;eA== b 2Jc  d ")
    }

    @Test func anAnswerKeepsItsLinesAndScripts() {
        let answer = "1.\t天空\n2.\té 👍🏽\n"
        #expect(TerminalText.block(answer) == answer)
        #expect(TerminalText.line(answer) == "1. 天空 2. é 👍🏽 ")
    }
}
