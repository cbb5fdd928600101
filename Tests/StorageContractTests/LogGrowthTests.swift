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
    private func crowd(
        _ store: SQLiteStore, _ folder: TemporaryFolder, named name: String = "crowd"
    ) async throws {
        for number in 0..<2_000 where logBytes(folder) <= Self.bounds.crowdedBytes {
            try await write(store, "\(name)-\(number)")
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
            // Looked at behind the log that has shrunk.
            #expect(try await eventually { store.health == .writable })
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

    /// Reads one moment until `isOver`; what became of it, and its sentence if it failed.
    private func longRead(
        _ store: SQLiteStore, _ hasBegun: Tally, isOver: @escaping @Sendable () -> Bool
    ) async -> String {
        do {
            try await store.read { tx in
                let connection = try connection(tx)
                _ = try connection.first(Text.count) { $0.integer(0) }
                hasBegun.add()
                for _ in 0..<100_000 where !isOver() {
                    try connection.forEach(Text.short) { _ in }
                }
            }
            return "came to its end"
        } catch let failure as Failure {
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `Two long reads that were ended are told of, until one comes to its end`() async throws {
        try await withBounds { store, folder in
            for number in 1...2 {
                let hasBegun = Tally()
                async let ending = longRead(store, hasBegun) { false }
                #expect(try await eventually { hasBegun.value > 0 })
                try await crowd(store, folder, named: "crowd-\(number)")
                let told = await ending
                #expect(told.contains("--store-log-mebibytes"), "\(told)")
                let isCalm = try await eventually {
                    try await write(store, "after-\(UUID().uuidString)")
                    return logBytes(folder) <= Self.bounds.calmBytes
                }
                #expect(isCalm)
                guard number == 2 else {
                    // It is looked at once more behind the write that was settled.
                    let isWell = try await eventually { store.health == .writable }
                    #expect(isWell, "one may have met a busy hour: \(store.health)")
                    continue
                }
                let isTold = try await eventually {
                    store.health.sentence.contains("It takes writes. The last 2 long reads")
                }
                let sentence = store.health.sentence
                #expect(isTold, "\(sentence)")
                #expect(sentence.contains("--store-log-mebibytes"), "\(sentence)")
            }
            #expect(await longRead(store, Tally()) { true } == "came to its end")
            #expect(store.health == .writable)
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `With more room for the log the same long read comes to its end`() async throws {
        let roomy = LogBounds(
            calmBytes: Self.bounds.calmBytes, crowdedBytes: 64 * Self.bounds.crowdedBytes,
            readMilliseconds: 0, pauseMilliseconds: 200)
        try await withBounds(roomy) { store, folder in
            let (hasBegun, isCrowded) = (Tally(), Tally())
            async let ending = longRead(store, hasBegun) { isCrowded.value > 0 }
            #expect(try await eventually { hasBegun.value > 0 })
            try await crowd(store, folder)
            isCrowded.add()
            #expect(await ending == "came to its end")
        }
    }

    /// How many frames of the log are in the database, as its index says.
    /// <https://sqlite.org/walformat.html#the_wal_index_header>
    private func copiedFrames(_ folder: TemporaryFolder) throws -> UInt32 {
        let index = try Data(contentsOf: URL(fileURLWithPath: "\(folder.database)-shm"))
        return index.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 96, as: UInt32.self) }
    }

    /// A log of some MiB, more than a commit begins to copy by itself, that nobody reads any more.
    private func withLargeLog(
        pauseMilliseconds: Int64, _ body: (SQLiteStore, TemporaryFolder) async throws -> Void
    ) async throws {
        let bounds = LogBounds(
            calmBytes: Self.bounds.calmBytes, apartBytes: Self.bounds.calmBytes,
            pauseMilliseconds: pauseMilliseconds)
        try await withBounds(bounds) { store, folder in
            try await whileSomebodyReads(folder) {
                try await store.write { tx in try connection(tx).execute(Text.blobs) }
                // A second one: the log's size is seen behind each batch.
                try await write(store, "seen")
            }
            try #require(logBytes(folder) > Int64(Limits.walPages * 4_096))
            try await body(store, folder)
        }
    }

    @Test func `No commit copies a large log`() async throws {
        try await withLargeLog(pauseMilliseconds: 600_000) { store, folder in
            let before = try copiedFrames(folder)
            for number in 0..<3 { try await write(store, "after-\(number)") }
            #expect(try copiedFrames(folder) == before)
        }
    }

    @Test func `A large log is copied while another process has the turn to write`() async throws {
        try await withLargeLog(pauseMilliseconds: 600_000) { store, folder in
            let turn = try FileLock(path: StoreFolder(path: folder.path).writer)
            try turn.lock(milliseconds: 10_000)
            defer { turn.unlock() }
            let copier = LogCopier(folder.database)
            let outcome = await withCheckedContinuation { continuation in
                copier.begin { continuation.resume(returning: $0) }
            }
            #expect(outcome == .copied)
            #expect(Int(try copiedFrames(folder)) > Limits.walPages)
            copier.stop()
        }
    }

    @Test func `A large log is emptied behind one write, and commits copy again`() async throws {
        try await withLargeLog(pauseMilliseconds: 0) { store, folder in
            try await write(store, "after")
            #expect(try await eventually { logBytes(folder) <= Self.bounds.calmBytes })
            #expect(store.health == .writable)
            try await store.write { tx in try connection(tx).execute("DROP TABLE bulk") }
            #expect(try await store.hasPush("after"))
        }
    }

    private enum Text {
        static let blobs = """
            CREATE TABLE bulk (number INTEGER PRIMARY KEY, content BLOB NOT NULL);
            INSERT INTO bulk \(numbers(7_000, "number, randomblob(3000)"));
            """
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
