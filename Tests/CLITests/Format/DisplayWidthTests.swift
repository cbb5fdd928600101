import CLI
import Testing

@Suite("The columns that text takes")
struct DisplayWidthTests {
    @Test(arguments: [
        ("", 0), ("tollgate", 8), ("登录", 4), ("ｶ", 1), ("ＡＢ", 4), ("한국", 4), ("é", 1),
        ("e\u{301}", 1), ("👍", 2), ("👨‍👩‍👧", 2), ("❤️", 2), ("❤", 1), ("a\u{200B}b", 2),
        ("¥9.90", 5), ("、。「」", 8), ("…", 1), ("𠀀", 2),
    ])
    func widthFollowsEastAsianWidth(text: String, columns: Int) {
        #expect(DisplayWidth.of(text) == columns)
    }

    @Test func paddingCountsColumns() {
        #expect(DisplayWidth.pad("登录", to: 6) == "登录  ")
        #expect(DisplayWidth.pad("登录", to: 6, isRightAligned: true) == "  登录")
        #expect(DisplayWidth.pad("longer", to: 3) == "longer")
    }

    @Test(arguments: [
        ("starter", 7, "starter"), ("starter", 6, "start…"), ("入门套餐", 8, "入门套餐"),
        ("入门套餐", 7, "入门套…"), ("入门套餐", 6, "入门…"), ("abc", 1, "…"), ("abc", 0, ""),
    ])
    func truncatingKeepsWithinTheColumns(text: String, columns: Int, result: String) {
        #expect(DisplayWidth.truncate(text, to: columns) == result)
        #expect(DisplayWidth.of(result) <= columns)
    }
}
