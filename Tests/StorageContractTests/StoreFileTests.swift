import Accounts
import Application
import Foundation
import GRDB
import Operations
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

@Suite struct StoreFileTests {
    private func grant(_ key: String, in store: SQLiteStore, id: Int64) async throws {
        let identifiers = CountingFrom(id)
        try await store.write { tx in
            _ = try Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers).grant(
                Credits(micro: 5), to: AccountID(rawValue: 1), kind: .welcome, from: .promotion,
                key: key, origin: .welcome, order: nil, reference: "", expiresAt: nil, at: start)
        }
    }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    @Test func `A backup made under load is one whole moment, and verifies`() async throws {
        try await withStore { store, folder in
            try await sell(in: store)
            let backup = "\(folder.path)/backup.sqlite"
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 as Range<Int64> {
                    group.addTask {
                        try await grant("load:\(number)", in: store, id: 1_000 + number * 10)
                    }
                }
                group.addTask { try await StoreFile.backup(folder: folder.path, to: backup) }
                try await group.waitForAll()
            }
            let report = try await StoreFile.verify(backup)
            #expect(report.isClean)
            #expect(report.findings.map(\.check).contains("C9"))
            #expect(report.realm == "sandbox")
            #expect(report.newestTransferAt == start)
            let mode = try FileManager.default.attributesOfItem(atPath: backup)[.posixPermissions]
            #expect(mode as? Int == 0o600)
            #expect(!exists("\(backup).partial"))
            let again = await Ending {
                try await StoreFile.backup(folder: folder.path, to: backup)
            }
            #expect(again == .failure(.conflict), "a backup is never written over")
            #expect(try await StoreFile.verify(folder.database).isClean, "online as well")
        }
    }

    @Test func `An older copy put in place behind our back is not served`() async throws {
        let folder = try TemporaryFolder()
        var store = try await folder.open()
        try await sell(in: store)
        let backup = "\(folder.path)/backup.sqlite"
        try await StoreFile.backup(folder: folder.path, to: backup)
        try await grant("later", in: store, id: 5_000)
        await store.close()
        #expect(!exists("\(folder.database)-wal"), "no log is left beside a closed store")
        try FileManager.default.removeItem(atPath: folder.database)
        let refusal = StoreRefusal.rewound(folder: folder.path)
        await #expect(throws: refusal) { try await folder.open() }
        #expect(!exists(folder.database), "no empty store is made in its place")
        try FileManager.default.copyItem(atPath: backup, toPath: folder.database)
        await #expect(throws: refusal) { try await folder.open() }

        // Said aloud, it is served, and an incident tells of it.
        for replaces in [false, true] {
            let ending = await Ending {
                _ = try await StoreFile.restore(
                    backup, into: folder.path, replaces: replaces, now: .after(60_000))
            }
            #expect(ending == (replaces ? .value : .failure(.conflict)))
        }
        #expect(exists("\(folder.database).replaced-\(start.milliseconds + 60_000)"))
        store = try await folder.open()
        let queries = OperatorQueries(try ports(store))
        #expect(try await queries.incidents(limit: 1).map(\.kind) == [.storeRestored])
        #expect(try await queries.audit().allSatisfy { $0.violationCount == 0 })
        await store.close()
    }

    /// A process that is killed notes nothing more.
    @Test func `How far a store has come is noted while it is open, once in a while`()
        async throws
    {
        let folder = try TemporaryFolder()
        let clock = TestMonotonicClock()
        let store = try await folder.open(monotonicClock: clock)
        let noted = { StoreMark(in: StoreFolder(path: folder.path))?.newestTransfer }
        #expect(noted() == 0)
        try await sell(in: store)
        clock.advance(by: .milliseconds(Limits.storeMarkMilliseconds - 1))
        // Whatever follows a write is done when the next one is.
        for number in 1...2 as ClosedRange<Int64> {
            try await grant("early:\(number)", in: store, id: 4_000 + number * 10)
        }
        #expect(noted() == 0)
        clock.advance(by: .milliseconds(1))
        try await grant("later", in: store, id: 5_000)
        try await store.write { tx in try tx.pushes.setFollowing(openID: "o", true, at: start) }
        let newest = try await store.read { tx in
            try connection(tx).first(SQL("SELECT MAX(id) FROM transfers")) { $0.integer(0) }
        }
        // What follows the last early write may see the new time, and is then the one that notes.
        let told = try #require(noted())
        #expect(told > 0 && told <= newest ?? 0)
        await store.close()
    }

    @Test(arguments: ["CREATE TABLE a (b)", "CREATE TABLE schema_migrations (version TEXT)"])
    func `A database of another program is no store`(text: String) async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/other.sqlite"
        let queue = try DatabaseQueue(path: path)
        try await queue.write { database in try database.execute(sql: text) }
        try queue.close()
        let failure = await #expect(throws: Failure.self) { _ = try await StoreFile.verify(path) }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message == "\(path) is not a Tollgate store.")
    }

    @Test func `A backup's act is in the operators' log, here and in the copy`() async throws {
        try await withStore { store, folder in
            try await sell(in: store)
            func act(_ number: Int64) -> AdminAct {
                AdminAct(
                    id: AdminActID(rawValue: number), key: "backup:\(number)",
                    kind: .storeBackedUp,
                    by: ActedBy(
                        credential: "this machine", person: "dan", reason: "before the drill",
                        correlationID: 7),
                    object: "store", before: "", after: "monday.sqlite", at: start)
            }
            func acts(_ store: any Store) async throws -> [AdminAct] {
                try await store.read { tx in try tx.adminLog.adminActs(before: nil, limit: 9) }
            }
            func restored(_ file: String, _ name: String) async throws -> [AdminAct] {
                let target = "\(folder.path)/\(name)"
                _ = try await StoreFile.restore(file, into: target, replaces: false, now: start)
                let copy = try await SQLiteStore.open(folder: target, realm: .sandbox, role: .jobs)
                let found = try await acts(copy)
                await copy.close()
                return found
            }
            let backup = "\(folder.path)/monday.sqlite"
            let untold = try await StoreFile.backup(folder: folder.path, to: backup, act: act(1))
            #expect(untold == nil)
            #expect(try await acts(store) == [act(1)])
            #expect(try await restored(backup, "monday") == [act(1)])
            // Where a backup exists already nothing is done, and nothing told.
            let again = await Ending {
                try await StoreFile.backup(folder: folder.path, to: backup, act: act(2))
            }
            #expect(again == .failure(.conflict))
            #expect(try await acts(store) == [act(1)])
            // A store that takes no row is copied all the same, and why it has none is told.
            try await store.write { tx in
                try connection(tx).execute(
                    """
                    CREATE TRIGGER full BEFORE INSERT ON admin_acts
                    BEGIN SELECT RAISE(ABORT, 'no room'); END
                    """)
            }
            let other = "\(folder.path)/tuesday.sqlite"
            let why = try await StoreFile.backup(folder: folder.path, to: other, act: act(3))
            #expect(why?.isEmpty == false)
            #expect(try await acts(store) == [act(1)])
            #expect(try await restored(other, "tuesday") == [act(1)])
        }
    }

    @Test func `A backup that cannot be restored leaves no folder behind`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await sell(in: store)
        let backup = "\(folder.path)/backup.sqlite"
        try await StoreFile.backup(folder: folder.path, to: backup)
        await store.close()
        let target = "\(folder.path)/target"
        let restore = {
            await Ending {
                _ = try await StoreFile.restore(
                    backup, into: target, replaces: false, now: .after(1))
            }
        }
        // A log beside it may hold what the file has not.
        _ = FileManager.default.createFile(atPath: "\(backup)-wal", contents: nil)
        #expect(await restore() == .failure(.conflict))
        #expect(!exists(target))
        try FileManager.default.removeItem(atPath: "\(backup)-wal")
        #expect(await restore() == .value)
        #expect(exists("\(target)/store.sqlite"))
        let mode = try FileManager.default.attributesOfItem(atPath: target)[.posixPermissions]
        #expect(mode as? Int == 0o700)
    }

    @Test func `A store in use, or a backup that does not add up, is not restored`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await sell(in: store)
        let backup = "\(folder.path)/backup.sqlite"
        try await StoreFile.backup(folder: folder.path, to: backup)
        let restore = {
            await Ending {
                _ = try await StoreFile.restore(
                    backup, into: folder.path, replaces: true, now: .after(1))
            }
        }
        #expect(await restore() == .failure(.conflict), "a server runs")
        await store.close()
        let jobs = try await folder.open(role: .jobs)
        #expect(await restore() == .failure(.conflict), "jobs run")
        await jobs.close()
        let queue = try DatabaseQueue(path: backup)
        try await queue.write { database in
            try database.execute(sql: "UPDATE customer_ledgers SET posted = posted + 1")
        }
        try queue.close()
        #expect(try await !StoreFile.verify(backup).isClean)
        #expect(await restore() == .failure(.conflict), "the backup was changed")
        let reopened = try await folder.open()
        await reopened.close()
    }
}

/// Identifiers from a number on.
private final class CountingFrom: IdentifierGenerator {
    private let tally = Tally()
    private let first: Int64

    init(_ first: Int64) { self.first = first }

    func next() -> Int64 { first + Int64(tally.next()) }
}
