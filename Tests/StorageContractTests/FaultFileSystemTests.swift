import Accounts
import Application
import CFaultVFS
import Foundation
import Operations
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// A disk that fails at its n-th operation and then loses power: whatever was acknowledged is
/// there, whatever was refused is not, and the books are clean.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FaultFileSystemTests {
    private static let kinds = [FAULT_WRITE, FAULT_FULL, FAULT_TORN, FAULT_SYNC].map(\.rawValue)
    private static let writes = 8
    /// A fault in each seventh write, or in every one if `TOLLGATE_TEST_EVERY_FAULT` is set.
    private static let stride = getenv("TOLLGATE_TEST_EVERY_FAULT") == nil ? 7 : 1

    /// A folder with a store that has an account.
    private func folder() async throws -> TemporaryFolder {
        #expect(fault_vfs_install() == 0)
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await store.write { tx in try tx.accounts.insert(account(), openID: "openid-1") }
        await store.close()
        fault_vfs_watch(folder.path)
        return folder
    }

    /// One write with a row of several pages and money.
    private func write(_ name: String, in store: SQLiteStore) async -> Ending {
        let identifier = Int64(name.utf8.reduce(0) { $0 &* 131 &+ Int64($1) })
        return await Ending {
            try await store.write { tx in
                // Few pages in the log before they are moved: moving meets the fault as well.
                try connection(tx).execute("PRAGMA wal_autocheckpoint = 12")
                try tx.pushes.insert(
                    ReceivedPush(
                        key: name, answer: String(repeating: name, count: 2_000), codeAttempt: 0,
                        receivedAt: start))
                _ = try Ledger(
                    tx.ledger, accounts: tx.accounts,
                    identifiers: FixedIdentifiers(first: identifier << 8)
                ).grant(
                    Credits(micro: 7), to: AccountID(rawValue: 1), kind: .welcome,
                    from: .promotion, key: name, origin: .welcome, order: nil, reference: name,
                    expiresAt: nil, at: start)
            }
        }
    }

    /// Kills the process, cuts the power, opens again, and compares with what was told.
    private func cutPower(
        _ store: SQLiteStore, _ folder: TemporaryFolder, told: [String: Ending], seed: UInt
    ) async throws {
        fault_vfs_freeze()
        await store.close()
        #expect(fault_vfs_cut_power(seed) == 0)
        let reopened = try await folder.open()
        for (name, ending) in told {
            let isThere = try await reopened.hasPush(name)
            switch ending {
            case .value: #expect(isThere, "\(name) was acknowledged, seed \(seed)")
            case .failure(.unavailable): #expect(!isThere, "\(name) was refused, seed \(seed)")
            case .failure(.unknownOutcome): break
            default: Issue.record("\(name) came to \(ending)")
            }
        }
        let findings = try await OperatorQueries(try ports(reopened)).audit()
        #expect(findings.flatMap(\.violations) == [], "seed \(seed)")
        #expect(await write("after", in: reopened) == .value)
        await reopened.close()
    }

    @Test(arguments: kinds)
    func `The n-th operation fails once, then the power`(kind: UInt32) async throws {
        var number = 1
        var hasStruck = true
        while hasStruck {
            let folder = try await folder()
            let store = try await folder.open()
            fault_vfs_arm(fault_kind(rawValue: kind), number, 0)
            var told: [String: Ending] = [:]
            for index in 0..<Self.writes {
                told["\(index)"] = await write("\(index)", in: store)
            }
            hasStruck = fault_vfs_struck() != 0
            #expect(store.health == .writable, "one fault is got over, number \(number)")
            try await cutPower(store, folder, told: told, seed: UInt(number))
            number += kind == FAULT_SYNC.rawValue ? 1 : Self.stride
        }
        #expect(number > 4, "the workload meets the fault at all")
    }

    @Test(arguments: kinds, [1, 6])
    func `A disk that keeps failing is told, and got over without a restart`(
        kind: UInt32, number: Int
    ) async throws {
        let folder = try await folder()
        let store = try await folder.open()
        fault_vfs_arm(fault_kind(rawValue: kind), number, 1)
        var told: [String: Ending] = [:]
        for index in 0..<Self.writes {
            told["\(index)"] = await write("\(index)", in: store)
        }
        #expect(fault_vfs_struck() != 0)
        #expect(told.values.contains { $0 != .value })
        #expect(store.health != .writable)
        fault_vfs_disarm()
        for index in 0..<2 {
            told["space \(index)"] = await write("space \(index)", in: store)
            #expect(told["space \(index)"] == .value)
        }
        #expect(store.health == .writable)
        try await cutPower(store, folder, told: told, seed: UInt(number))
    }
}

/// Identifiers from a number on, the same each time a closure runs.
private final class FixedIdentifiers: IdentifierGenerator {
    private let tally = Tally()
    private let first: Int64

    init(first: Int64) { self.first = first }

    func next() -> Int64 { first + Int64(tally.next()) }
}
