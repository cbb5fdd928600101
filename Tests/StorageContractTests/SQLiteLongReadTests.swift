import Application
import Operations
import Testing
import TollgateKernel

@testable import Storage

/// What ends an audit on SQLite: its caller's leaving, the store's end.
@Suite(.timeLimit(.minutes(5))) struct SQLiteLongReadTests {
    /// Makes every statement over lots one that never ends by itself.
    private func makeEndless(_ store: SQLiteStore) async throws {
        try await AuditTests.liveIn(store)
        try await store.write { tx in
            guard case .sqlite(let writer) = try connection(tx) else { return }
            try writer.execute("ALTER TABLE lots RENAME TO quick_lots")
            try writer.execute(
                """
                CREATE VIEW lots AS SELECT quick_lots.* FROM quick_lots, (
                    WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number)
                    SELECT COUNT(*) FROM number)
                """)
        }
    }

    /// An audit that tells when it begins.
    private func audit(_ store: SQLiteStore, _ began: Tally) async -> Ending {
        await Ending {
            _ = try await store.read { tx in
                began.add()
                return try tx.operations.audit()
            }
        }
    }

    /// What a read comes to whose caller leaves while it runs; the read tells when it begins.
    private func ending(
        leaving read: @escaping @Sendable (Tally) async -> Ending
    ) async throws -> Ending? {
        let began = Tally()
        return try await withThrowingTaskGroup(of: Ending.self) { group in
            group.addTask { await read(began) }
            #expect(try await eventually { began.value > 0 })
            group.cancelAll()
            return try await group.next()
        }
    }

    @Test func `an audit whose caller leaves is stopped`() async throws {
        try await withStore { store, _ in
            try await makeEndless(store)
            #expect(try await ending { await audit(store, $0) } == .failure(.cancelled))
            // The same connections go on.
            #expect(try await !store.hasPush("none"))
        }
    }

    @Test func `a store that closes waits for no audit`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await makeEndless(store)
        let began = Tally()
        async let ending = audit(store, began)
        #expect(try await eventually { began.value > 0 })
        await store.close()
        #expect(await ending == .failure(.unavailable))
    }

    @Test func `other reads are not ended by their callers' leaving`() async throws {
        try await withStore { store, _ in
            let ending = try await ending { began in
                await Ending {
                    let count = try await store.read { tx in
                        began.add()
                        return try connection(tx).all(
                            SQL(
                                """
                                WITH RECURSIVE number(n) AS (
                                    SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5000000)
                                SELECT COUNT(*) FROM number
                                """)
                        ) { $0.integer(0) }
                    }
                    #expect(count == [5_000_000])
                }
            }
            #expect(ending == .value)
        }
    }
}
