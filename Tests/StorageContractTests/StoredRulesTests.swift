import Application
import Foundation
import Testing

@testable import Storage

/// What a table's CHECKs, and the condition of an index, are read to be.
@Suite struct StoredRulesTests {
    @Test(arguments: [
        ("CREATE TABLE t (a INTEGER CHECK (a > 0))", ["a > 0"]),
        ("CREATE TABLE t (a TEXT CHECK(a IN ('x', 'y)')), b)", ["a IN ('x', 'y)')"]),
        (
            "CREATE TABLE t (a, CONSTRAINT c CHECK ((a = 1) = (b IS NULL)), check (b < 9))",
            ["(a = 1) = (b IS NULL)", "b < 9"]
        ),
        ("CREATE TABLE t (a DEFAULT 'CHECK (a)', check_a INTEGER, b CHECK\n  (b))", ["b"]),
        ("CREATE TABLE t (a -- CHECK (a > 0)\n, \"check\" INTEGER)", []),
        ("CREATE TABLE t (a TEXT CHECK (a <> 'it''s (so'))", ["a <> 'it''s (so'"]),
    ])
    func rulesAreRead(text: String, rules: [String]) {
        #expect(StoredRules.rules(in: text) == rules)
    }

    @Test(arguments: [
        ("CREATE INDEX i ON t (a)", nil),
        ("CREATE INDEX i ON t (a) WHERE b > 0", " b > 0"),
        ("create unique index i on t (a)\nwhere b IN ('x', 'where')", " b IN ('x', 'where')"),
        ("CREATE INDEX \"where\" ON t (wherever, (a > (SELECT 1 WHERE 1))) WHERE(b)", "(b)"),
        ("CREATE INDEX i ON t (a) -- WHERE c\n WHERE b", " b"),
    ])
    func conditionsAreRead(text: String, condition: String?) {
        #expect(StoredRules.condition(in: text) == condition)
    }

    @Test func everyRuleOfTheSchemaIsRead() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        let texts = try await store.read { tx in
            try connection(tx).all(
                SQL("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
            ) { $0.text(0) }
        }
        await store.close()
        var found = 0
        for text in texts {
            let written = text.matches(of: /CHECK\s*\(/).count
            #expect(StoredRules.rules(in: text).count == written, "\(text)")
            found += written
        }
        #expect(found > 50)
    }
}
