import Accounts
import Application
import Auth
import Chat
import Operations
import Storage
import TestSupport
import Testing
import TollgateKernel

/// Sealing everything anew after the master key was rotated.
@Suite struct ResealKeysTests {
    private let old = Vault(masterKey: [UInt8](repeating: 3, count: 32), random: SystemRandom())
    private let present = Vault(
        masterKey: [UInt8](repeating: 4, count: 32),
        previousKey: [UInt8](repeating: 3, count: 32), random: SystemRandom())
    /// The key before is put away.
    private let alone = Vault(masterKey: [UInt8](repeating: 4, count: 32), random: SystemRandom())

    private let by = ActedBy(
        credential: "data folder", person: "olga", reason: "a rotation", correlationID: 0)

    /// Accounts with a key of their own each, sealed under the old master key.
    private func bind(_ count: Int, _ bench: TestBench) async throws -> [OwnKey] {
        let first = bench.ports.identifiers.next()
        let keys = try (0..<count).map { number in
            let account = AccountID(rawValue: first + Int64(number))
            let label = OwnKey.label(account: account, channel: "a")
            return OwnKey(
                account: account, channel: "a",
                sealed: try old.seal("own \(account)", label: label), hint: "…",
                createdAt: bench.clock.now())
        }
        try await bench.store.write { tx in
            for key in keys {
                let digest = try bench.ports.identityKey.openIDDigest("o_\(key.account)")
                try tx.accounts.insert(
                    Account(
                        id: key.account, openIDDigest: digest, status: .active,
                        isWhiteListed: false, openedAt: key.createdAt),
                    openID: "o_\(key.account)")
                try tx.ownKeys.save(key)
            }
        }
        return keys
    }

    private func stored(_ key: OwnKey, _ bench: TestBench) async throws -> [UInt8] {
        let rows = try await bench.store.read { tx in try tx.ownKeys.ownKeys(of: key.account) }
        return try #require(rows.first).sealed
    }

    @Test func `Channels' and people's keys open under the present key alone, however many`()
        async throws
    {
        try await TestBench.with { bench in
            try await bench.offer(channels: ["a", "b"])
            let keys = try await bind(2 * Limits.rowsPerJobTransaction + 7, bench)
            let reseal = ResealKeys(bench.ports, vault: present)
            let report = try await reseal.run(by: by)
            #expect(report.keys == keys.count + 2)
            #expect(report.resealed == report.keys)
            #expect(report.unreadableCount == 0)
            for key in keys {
                let label = OwnKey.label(account: key.account, channel: key.channel)
                let sealed = try await stored(key, bench)
                #expect(try alone.open(sealed, label: label) == "own \(key.account)")
            }
            let channels = try await bench.store.read { tx in
                try tx.chat.channelKeys(after: "", limit: 10)
            }
            #expect(
                try channels.map {
                    try alone.open($0.sealed, label: Vault.label(ofChannel: $0.channel))
                } == ["key-a", "key-b"])
            let again = try await reseal.run(by: by)
            #expect(again.keys == report.keys && again.resealed == 0)
            // Each is in the operators' log, also the one that found nothing to do.
            try await ResealKeys.recordRotation(bench.ports, by: by)
            let acts = try await Administration(bench.ports).acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.masterKeyRotated, .keysResealed, .keysResealed])
            #expect(acts.allSatisfy { $0.by == by })
        }
    }

    @Test func `A key that opens under neither is named, and the others are sealed all the same`()
        async throws
    {
        try await TestBench.with { bench in
            try await bench.offer(channels: ["a"])
            let keys = try await bind(3, bench)
            var broken = keys[1]
            broken.sealed[15] ^= 1
            let wrong = broken
            try await bench.store.write { tx in try tx.ownKeys.save(wrong) }
            let report = try await ResealKeys(bench.ports, vault: present).run(by: by)
            #expect(report.keys == 4 && report.resealed == 3 && report.unreadableCount == 1)
            #expect(
                report.unreadable == [OwnKey.label(account: broken.account, channel: "a")])
            #expect(try await stored(broken, bench) == broken.sealed)
        }
    }

    @Test func `A key that was bound anew meanwhile is not put back`() async throws {
        try await TestBench.with { bench in
            try await bench.offer(channels: ["a"])
            let key = try await bind(1, bench)[0]
            var fresh = key
            fresh.sealed = try present.seal(
                "bound meanwhile", label: OwnKey.label(account: key.account, channel: "a"))
            let bound = fresh
            let replaced = try await bench.store.write { tx in
                try tx.ownKeys.save(bound)
                // What a run read before and would store now.
                return try tx.ownKeys.replace(key, with: [1, 2, 3])
            }
            #expect(!replaced)
            #expect(try await stored(key, bench) == fresh.sealed)
        }
    }
}
