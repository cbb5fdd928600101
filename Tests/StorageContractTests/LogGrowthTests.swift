import Application
import Foundation
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// However long somebody reads, the write-ahead log stays within bounds, or it is told why not.
@Suite(.serialized) struct LogGrowthTests {
    private static let bounds = LogBounds(
        calmBytes: 128 * 1_024, crowdedBytes: 512 * 1_024, readMilliseconds: 0,
        pauseMilliseconds: 200)

    private func withBounds(
        _ bounds: LogBounds = Self.bounds,
        _ body: (SQLiteStore, TemporaryFolder) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let store = try await SQLiteStore.open(
            folder: folder.path, realm: .sandbox, role: .serve,
            clock: FixedClock(milliseconds: 1_000_000), logBounds: bounds)
        do {
            // Opening has put the schema into the log: what is judged begins with a calm one.
            let isCalm = try await eventually {
                try await write(store, "before-\(UUID().uuidString)")
                return logBytes(folder) <= bounds.calmBytes
            }
            try #require(isCalm)
            try await body(store, folder)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }

    private func logBytes(_ folder: TemporaryFolder) -> Int64 {
        LogBounds.logBytes(of: folder.database)
    }

    /// Adds some pages to the log.
    private func write(_ store: SQLiteStore, _ key: String) async throws {
        try await store.write { tx in
            try tx.pushes.insert(
                ReceivedPush(
                    key: key, answer: String(repeating: "x", count: 1_000), codeAttempt: 0,
                    receivedAt: Timestamp(milliseconds: 5)))
        }
    }

    /// Writes until the log is crowded.
    private func crowd(_ store: SQLiteStore, _ folder: TemporaryFolder) async throws {
        for number in 0..<2_000 where logBytes(folder) <= Self.bounds.crowdedBytes {
            try await write(store, "crowd-\(number)")
        }
        try #require(logBytes(folder) > Self.bounds.crowdedBytes)
    }

    /// Holds one moment of the store open, as a program that is not ours would.
    private func whileSomebodyReads(
        _ folder: TemporaryFolder, _ body: () async throws -> Void
    ) async throws {
        let reader = try WriterConnection(path: folder.database)
        defer { reader.close() }
        try reader.use { used throws(StoreError) in
            try used.execute("BEGIN")
            _ = try used.first(Text.count) { $0.integer(0) }
        }
        try await body()
    }

    @Test func `Without a reader the log never outgrows its bound by more than a batch`()
        async throws
    {
        try await withBounds(
            LogBounds(calmBytes: 128 * 1_024, crowdedBytes: 512 * 1_024, pauseMilliseconds: 0)
        ) { store, folder in
            var peak: Int64 = 0
            for number in 0..<200 {
                try await write(store, "push-\(number)")
                peak = max(peak, logBytes(folder))
            }
            #expect(peak > 64 * 1_024, "nothing was written")
            #expect(peak < 256 * 1_024, "\(peak)")
            #expect(store.health == .writable)
        }
    }

    @Test func `A foreign reader is told of while the log grows, and the log shrinks after it`()
        async throws
    {
        try await withBounds { store, folder in
            try await whileSomebodyReads(folder) {
                try await crowd(store, folder)
                try await write(store, "still taken")
                // Told behind the batch that has answered us.
                _ = try await eventually { store.health != .writable }
                guard case .crowded(let sentence) = store.health else {
                    Issue.record("\(store.health)")
                    return
                }
                #expect(sentence.contains("another program reads"))
                #expect(sentence.contains(folder.database))
            }
            #expect(try await store.hasPush("still taken"))
            let isCalm = try await eventually {
                try await write(store, "after-\(UUID().uuidString)")
                return store.health == .writable
            }
            #expect(isCalm)
            #expect(logBytes(folder) <= Self.bounds.calmBytes, "\(logBytes(folder))")
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `A read of ours that keeps a crowded log is ended, and the log shrinks`() async throws {
        try await withBounds { store, folder in
            let hasBegun = Tally()
            let ending = Task {
                await Ending {
                    try await store.read { tx in
                        let connection = try connection(tx)
                        _ = try connection.first(Text.count) { $0.integer(0) }
                        hasBegun.add()
                        for _ in 0..<1_000 { try connection.forEach(Text.long) { _ in } }
                    }
                }
            }
            #expect(try await eventually { hasBegun.value > 0 })
            try await crowd(store, folder)
            #expect(await ending.value == .failure(.unavailable))
            let isCalm = try await eventually {
                try await write(store, "after-\(UUID().uuidString)")
                return logBytes(folder) <= Self.bounds.calmBytes
            }
            #expect(isCalm)
            #expect(store.health == .writable)
            // The connection that was interrupted reads on.
            for _ in 0..<8 { #expect(try await store.hasPush("crowd-0")) }
        }
    }

    @Test func `A young read is left in peace, an old one and an old backup are not`() async throws
    {
        let patient = LogBounds(
            calmBytes: Self.bounds.calmBytes, crowdedBytes: Self.bounds.crowdedBytes,
            readMilliseconds: 600_000, pauseMilliseconds: 200)
        try await withBounds(patient) { store, folder in
            try await store.write { tx in try connection(tx).execute(Text.fill) }
            try await whileSomebodyReads(folder) {
                try await crowd(store, folder)
                try await store.read { tx in try connection(tx).forEach(Text.long) { _ in } }
                let copy = "\(folder.path)/copy.sqlite"
                let ending = await Ending {
                    try await StoreFile.backup(
                        folder: folder.path, to: copy, logBounds: Self.bounds)
                }
                #expect(ending == .failure(.unavailable))
                #expect(!FileManager.default.fileExists(atPath: copy))
                #expect(!FileManager.default.fileExists(atPath: "\(copy).partial"))
                try await StoreFile.backup(folder: folder.path, to: copy, logBounds: patient)
                #expect(FileManager.default.fileExists(atPath: copy))
            }
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `Short readers that overlap without a gap do not keep the log`() async throws {
        let eager = LogBounds(
            calmBytes: 128 * 1_024, crowdedBytes: 64 * 1_024 * 1_024, pauseMilliseconds: 0)
        try await withBounds(eager) { store, folder in
            let reads = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        while !Task.isCancelled {
                            try await store.read { tx in
                                let connection = try connection(tx)
                                _ = try connection.first(Text.count) { $0.integer(0) }
                                try connection.forEach(Text.short) { _ in }
                            }
                            reads.add()
                        }
                    }
                }
                var peak: Int64 = 0
                for number in 0..<300 {
                    try await write(store, "push-\(number)")
                    peak = max(peak, logBytes(folder))
                }
                group.cancelAll()
                #expect(peak < 1_024 * 1_024, "\(peak)")
            }
            #expect(reads.value > 30, "nobody read meanwhile: \(reads.value)")
        }
    }

    private enum Text {
        static let count = SQL("SELECT COUNT(*) FROM write_attempts")
        static let long = SQL(numbers(300_000))
        static let short = SQL(numbers(5_000))
        static let fill = """
            CREATE TABLE bulk (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
            INSERT INTO bulk \(numbers(80_000, "number, 'content'"));
            """

        private static func numbers(_ count: Int, _ columns: String = "MAX(number)") -> String {
            """
            WITH RECURSIVE numbers (number) AS (
                VALUES (1) UNION ALL SELECT number + 1 FROM numbers WHERE number < \(count)
            ) SELECT \(columns) FROM numbers
            """
        }
    }
}
