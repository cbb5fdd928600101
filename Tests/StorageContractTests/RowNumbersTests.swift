import Application
import Testing

@testable import Storage

/// Whether numbers are there is told as a search for each would.
@Suite struct RowNumbersTests {
    private static let table = SQL("CREATE TABLE numbers (id INTEGER PRIMARY KEY)")
    private static let number = SQL("INSERT INTO numbers (id) VALUES ($1)")
    private static let numbers = SQL("SELECT id FROM numbers WHERE id >= $1 ORDER BY id")

    /// Numbers that are there: alone, in rows, and at the ends of what a number may be.
    private static let there: [Int64] =
        [.min, .min + 1, -7, -1, 2, 3, 5, .max] + (100...400).map { $0 * 2 } + [9_000, 9_001]

    private func expectTruth(_ asked: [Int64], of there: [Int64] = there) async throws {
        try await withStore { store, _ in
            let told = try await store.write { tx in
                let connection = try connection(tx)
                guard case .sqlite(let sqlite) = connection else { return [Bool]() }
                try connection.run(Self.table)
                for number in there { try connection.run(Self.number, number) }
                var rows = RowNumbers(try AscendingNumbers(sqlite, Self.numbers))
                return try asked.map { number throws in try rows.contains(number) }
            }
            #expect(told == asked.map(Set(there).contains))
        }
    }

    @Test func `those that ascend, with and without gaps`() async throws {
        try await expectTruth(Array(-10...1_000) + [8_999, 9_000, 9_001, 9_002, .max])
        try await expectTruth(Self.there)
        try await expectTruth(Array(stride(from: 190, through: 820, by: 7)))
    }

    @Test func `those that come again, go back, or lie far apart`() async throws {
        try await expectTruth([0, 0, 1, 0, 2, 2, 1, 2, .max, .min, .max, .min, 0, -1, 4, 3, 2])
        try await expectTruth((0...2_000).map { $0 * 7_919 % 1_009 })
        try await expectTruth(Self.there.reversed() + Self.there.map { $0 &+ 1 })
    }

    /// Many of them have the place of another.
    @Test func `more than are remembered`() async throws {
        var number: UInt64 = 1
        let numbers = (0..<20_000).map { _ in
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int64(bitPattern: number)
        }
        let there = Array(numbers.prefix(4_000))
        try await expectTruth(there + numbers + there, of: there)
    }

    @Test func `none is in a table without rows`() async throws {
        try await expectTruth([0, 1, 0, -1, .max, .min], of: [])
        try await expectTruth([0, 1, 0], of: [0])
    }
}
