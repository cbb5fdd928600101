import CLI
import Testing

@Suite("Tables")
struct TextTableTests {
    private let plain = Style(isColoured: false)

    private func products() -> TextTable {
        var table = TextTable([("KEY", .left), ("PRICE", .right), ("WHAT IT IS", .flexible)])
        table.add(["starter", "¥9.90", "入门套餐 for a first look around"])
        table.add(["大礼包", "¥1,990.00", "all of it"])
        return table
    }

    @Test func columnsAlignWhateverTheScript() {
        #expect(
            products().lines(columns: nil, style: plain) == [
                "KEY          PRICE  WHAT IT IS",
                "starter      ¥9.90  入门套餐 for a first look around",
                "大礼包   ¥1,990.00  all of it",
            ])
    }

    @Test func theFlexibleColumnGivesWay() {
        let lines = products().lines(columns: 36, style: plain)
        #expect(lines[1] == "starter      ¥9.90  入门套餐 for a …")
        #expect(lines.allSatisfy { DisplayWidth.of($0) <= 36 })
    }

    @Test func theFlexibleColumnKeepsItsTitle() {
        #expect(products().lines(columns: 34, style: plain)[0].hasSuffix("WHAT IT IS"))
    }

    @Test func aTableWiderThanTheTerminalTellsEachRowAsNamesAndValues() {
        #expect(
            products().lines(columns: 20, style: plain) == [
                "KEY         starter",
                "PRICE       ¥9.90",
                "WHAT IT IS  入门套餐 for a first look around",
                "",
                "KEY         大礼包",
                "PRICE       ¥1,990.00",
                "WHAT IT IS  all of it",
            ])
    }

    @Test func namesWithoutAValueAreLeftOutOfANarrowTable() {
        var table = TextTable([("NAME", .left), ("EXPIRES", .left)])
        table.add(["a name too long", ""])
        #expect(table.lines(columns: 12, style: plain) == ["NAME     a name too long"])
    }

    @Test func cellsCannotSteerTheTerminal() {
        var table = TextTable([("A", .left)])
        table.add(["x\u{1B}[2Jy\nz"])
        #expect(table.lines(columns: nil, style: plain)[1] == "x [2Jy z")
    }

    @Test func missingCellsAreEmpty() {
        var table = TextTable([("A", .left), ("B", .right)])
        table.add(["1"])
        #expect(table.lines(columns: nil, style: plain) == ["A  B", "1"])
    }

    @Test func anEmptyTableIsASentence() {
        let output = CapturedText()
        let console = Console(output: output, errors: CapturedText(), variables: [:])
        console.table(TextTable([("A", .left)]), ifEmpty: "Nothing yet.")
        #expect(output.text == "Nothing yet.\n")
    }

    @Test func theHeadingIsBoldOnATerminalOnly() {
        let coloured = products().lines(columns: nil, style: Style(isColoured: true))[0]
        #expect(coloured == "\u{1B}[1mKEY          PRICE  WHAT IT IS\u{1B}[0m")
    }
}
