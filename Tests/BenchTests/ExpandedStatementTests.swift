import Testing

@testable import Bench

struct ExpandedStatementTests {
    @Test func `each kind of value is read out of the expanded text`() {
        let values = ExpandedStatement.values(
            text: "INSERT INTO t VALUES ($1, $2, $3, $4, $5)",
            expanded: "INSERT INTO t VALUES (-42, 'it''s', x'00ff', NULL, '')")
        #expect(
            values == [
                .integer(-42), .text(Array("it's".utf8)), .bytes([0, 255]), .null, .text([]),
            ])
    }

    @Test func `parameters are numbered by where their names come first`() {
        let values = ExpandedStatement.values(
            text: "SELECT a FROM t WHERE b = $2 AND c = $1 OR d = $2",
            expanded: "SELECT a FROM t WHERE b = 7 AND c = 8 OR d = 7")
        #expect(values == [.integer(7), .integer(8)])
    }

    @Test func `a dollar inside a quoted text is no parameter`() {
        let values = ExpandedStatement.values(
            text: "SELECT '$1', $1 FROM t", expanded: "SELECT '$1', 5 FROM t")
        #expect(values == [.integer(5)])
    }

    @Test(arguments: [
        ("SELECT $1", "SELECT 1.5"), ("SELECT $1", "SELECT "), ("SELECT $1", "DELETE 1"),
        ("SELECT $1", "SELECT 'open"), ("SELECT $1", "SELECT x'0'"), ("SELECT $1", "SELECT 1, 2"),
    ])
    func `texts that do not belong together give nothing`(text: String, expanded: String) {
        #expect(ExpandedStatement.values(text: text, expanded: expanded) == nil)
    }
}
