import Accounts
import Application
import Foundation
import GRDBSQLite
import Logging
import Storage
import Synchronization
import TollgateKernel

/// A store with customers who have credits, made once; each round works on a copy of it.
struct SeededStore: Sendable {
    /// The folder of the store that nobody works on.
    let folder: String
    /// The customers.
    let accounts: [AccountID]

    /// Transfers that were made with it.
    var transfers: Int { accounts.count * Self.lotsOfAnAccount }

    /// What one hold reserves: one credit, the price of an everyday question.
    static let amount = Credits(whole: 1)
    /// Credits of each lot: no number of rounds uses them up.
    private static let granted = Credits(whole: 1_000_000)
    private static let lotsOfAnAccount = 3

    /// Makes a store in a folder that exists, with every account's credits in three lots of
    /// different expiry.
    static func make(folder: String, accounts count: Int) async throws -> SeededStore {
        let identifiers = TimeSortedIdentifiers()
        let now = SystemClock().now()
        let accounts = (0..<count).map { _ in AccountID(rawValue: identifiers.next()) }
        try await withStore(folder) { store in
            try await fill(store, accounts[...], identifiers, at: now)
        }
        try fold("\(folder)/store.sqlite")
        return SeededStore(folder: folder, accounts: accounts)
    }

    /// Makes the same customers in another store, few in a write: a server's statements take turns.
    func fill(_ store: any Store) async throws {
        let identifiers = TimeSortedIdentifiers()
        let now = SystemClock().now()
        var rest = accounts[...]
        while !rest.isEmpty {
            try await Self.fill(
                store, rest.prefix(Limits.benchCustomersPerWrite), identifiers, at: now)
            rest = rest.dropFirst(Limits.benchCustomersPerWrite)
        }
    }

    private static func fill(
        _ store: any Store, _ accounts: ArraySlice<AccountID>,
        _ identifiers: TimeSortedIdentifiers, at now: Timestamp
    ) async throws {
        try await store.write { tx in
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            for account in accounts {
                try tx.accounts.insert(
                    Account(
                        id: account, openIDDigest: Self.digest(account.rawValue),
                        status: .active, isWhiteListed: false, openedAt: now),
                    openID: "bench-\(account)")
                for lot in 0..<Self.lotsOfAnAccount {
                    let days = Int64(30 * (lot + 1))
                    _ = try ledger.grant(
                        Self.granted, to: account, kind: .welcome, from: .promotion,
                        key: "bench:\(account):\(lot)", origin: .welcome, order: nil,
                        reference: "bench",
                        expiresAt: now.adding(milliseconds: days * 86_400_000), at: now)
                }
            }
        }
    }

    /// Writes down who the customers are, for another process.
    func writeAccounts() throws {
        let numbers = try JSONEncoder().encode(accounts.map(\.rawValue))
        try numbers.write(to: URL(fileURLWithPath: Self.accountsFile(folder)))
    }

    /// The store whose customers another process wrote down.
    static func readingAccounts(of folder: String) throws -> SeededStore {
        let file = try Data(contentsOf: URL(fileURLWithPath: Self.accountsFile(folder)))
        let numbers = try JSONDecoder().decode([Int64].self, from: file)
        return SeededStore(folder: folder, accounts: numbers.map { AccountID(rawValue: $0) })
    }

    private static func accountsFile(_ folder: String) -> String { "\(folder)/accounts.json" }

    /// Moves what is in the write-ahead log into the file, so that the file alone is the store: the
    /// connection that is closed last is a reader's, which may not do it.
    static func fold(_ file: String) throws {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open(file, &connection) == SQLITE_OK,
            sqlite3_exec(connection, "PRAGMA wal_checkpoint(TRUNCATE)", nil, nil, nil) == SQLITE_OK
        else { throw Failure(.internalError, "The seeded store cannot be copied.") }
    }

    /// Copies the store's file into a new folder, lends the folder, and removes it.
    func withCopy<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let copy = "\(folder)-copy-\(UUID().uuidString)"
        let files = FileManager.default
        try files.createDirectory(atPath: copy, withIntermediateDirectories: true)
        defer { try? files.removeItem(atPath: copy) }
        let file = "\(copy)/store.sqlite"
        try files.copyItem(atPath: "\(folder)/store.sqlite", toPath: file)
        // Else the first commit on the copy would pay for writing all of it to the disk.
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        try handle.synchronize()
        try handle.close()
        return try await body(copy)
    }

    /// Opens a store through the product's own opening, lends it, and closes it.
    static func withStore<Value>(
        _ folder: String, role: StoreRole = .serve, _ body: (SQLiteStore) async throws -> Value
    ) async throws -> Value {
        let store: SQLiteStore
        do {
            var logger = Logger(label: "tollgate.bench.store")
            logger.logLevel = .warning
            store = try await SQLiteStore.open(
                folder: folder, realm: .sandbox, role: role, logger: logger)
        } catch let refusal as StoreRefusal {
            throw Failure(.unavailable, "\(refusal)")
        }
        do {
            let value = try await body(store)
            await store.close()
            return value
        } catch {
            await store.close()
            throw error
        }
    }

    /// Makes holds through the store's port until the time is over.
    ///
    /// Each is `Ledger.hold` in a write of its own, awaited until it is durable; its request has a
    /// name that begins with `name`, so that a second load on the same store is a new one.
    func hold(
        in store: any Store, callers: Int, seconds: Double, most: Int, named name: String = "bench"
    ) async throws -> ClosedLoop.Outcome {
        let identifiers = TimeSortedIdentifiers()
        let accounts = accounts
        return try await ClosedLoop.run(callers: callers, seconds: seconds, most: most) {
            caller, number in
            // A stride that meets every account before any one again.
            let account = accounts[(caller &+ number &* 7_919) % accounts.count]
            let now = SystemClock().now()
            let request = HoldRequest(
                account: account,
                requestID: IdempotencyKey(rawValue: "\(name)-\(caller)-\(number)"),
                requestHash: Self.digest(Int64(caller) << 32 | Int64(number)), source: .credits,
                amount: Self.amount, trialDay: nil, trialLimit: 0,
                expiresAt: now.adding(milliseconds: 900_000))
            _ = try await store.write { tx in
                try Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                    .hold(request, at: now)
            }
        }
    }

    /// 32 bytes that differ for each number; what stands in them is of no matter here.
    static func digest(_ number: Int64) -> [UInt8] {
        (0..<4).flatMap { part in
            withUnsafeBytes(of: (number &* 0x9e37_79b9_7f4a_7c1 &+ part).bigEndian, Array.init)
        }
    }
}
