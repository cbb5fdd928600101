import Application
import Foundation
import Storage
import Synchronization
import TollgateKernel

/// A folder that goes when the test ends.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "tollgate-store-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var database: String { "\(path)/store.sqlite" }

    func open(
        realm: StoreRealm = .sandbox, role: StoreRole = .serve, waitMilliseconds: Int64 = 2_000,
        commitFault: CommitFault? = nil,
        monotonicClock: any MonotonicClock = SystemMonotonicClock()
    ) async throws -> SQLiteStore {
        try await SQLiteStore.open(
            folder: path, realm: realm, role: role, clock: FixedClock(milliseconds: 1_000_000),
            monotonicClock: monotonicClock, schemaWaitMilliseconds: waitMilliseconds,
            commitFault: commitFault)
    }
}

/// Opens a store in a folder of its own, gives it to a test, closes it.
func withStore(
    commitFault: CommitFault? = nil,
    _ body: (SQLiteStore, TemporaryFolder) async throws -> Void
) async throws {
    let folder = try TemporaryFolder()
    let store = try await folder.open(commitFault: commitFault)
    do {
        try await body(store, folder)
    } catch {
        await store.close()
        throw error
    }
    await store.close()
}

/// A clock that stands.
struct FixedClock: WallClock {
    let milliseconds: Int64
    func now() -> Timestamp { Timestamp(milliseconds: milliseconds) }
}

/// A counter that several threads may use.
final class Tally: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    func add() { _ = next() }
    func next() -> Int {
        state.withLock {
            $0 += 1
            return $0
        }
    }
}

/// Waits for something that other threads bring about; false after ten seconds.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws -> Bool {
    for _ in 0..<15_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(2))
    }
    return false
}
