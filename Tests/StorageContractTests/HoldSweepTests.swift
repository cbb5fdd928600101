import Accounts
import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// A hold that cannot be ended keeps no other from ending.
@Suite struct HoldSweepTests {
    private let owner = AccountID(rawValue: 1)
    private let identifiers = CountingIdentifiers()
    private let fence = JobFence(job: "hold-expire", fencingToken: 0)

    /// So many holds whose time is out, and among them some that reserve nothing of what they say:
    /// what ends them finds that, and refuses.
    private func leaveHolds(
        _ store: any OpenedStore, _ count: Int, broken: Set<Int>
    ) async throws {
        try await store.write { tx in
            try tx.jobs.insertIfNew(
                JobRecord(
                    name: fence.job, nextDueAt: start, fencingToken: 0, holder: "", heartbeat: 0))
            try tx.accounts.insert(account(), openID: "openid-1")
            let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
            _ = try ledger.grant(
                Credits(micro: 100_000), to: owner, kind: .welcome, from: .promotion,
                key: "welcome", origin: .welcome, order: nil, reference: "", expiresAt: nil,
                at: start)
            for number in 0..<count {
                let expiresAt = Timestamp.after(Int64(number))
                if broken.contains(number) {
                    try tx.ledger.insert(
                        hold(1_000_000 + Int64(number), expiresAt: expiresAt), reservations: [])
                } else {
                    _ = try ledger.hold(
                        HoldRequest(
                            account: owner, requestID: IdempotencyKey(rawValue: "r\(number)"),
                            requestHash: digest(1), source: .credits, amount: Credits(micro: 10),
                            trialDay: nil, trialLimit: 0, expiresAt: expiresAt), at: start)
                }
            }
        }
    }

    private func sweeps(_ store: any OpenedStore, over way: (any Store)? = nil) throws -> Sweeps {
        var ports = try TestBench(
            over: store, clock: TestClock(.after(10_000))
        ).ports
        if let way { ports.store = way }
        return Sweeps(ports)
    }

    private func held(_ store: any OpenedStore) async throws -> Int64? {
        try await store.read { tx in try tx.ledger.customerLedger(owner)?.held }
    }

    @Test(arguments: Engine.all)
    func `holds that cannot be ended are set aside, told once, and the others end`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let broken: Set = [0, 1, 40, 99]
            try await leaveHolds(store, 100, broken: broken)
            let first = try await sweeps(store).expireHolds(fence: fence)
            #expect(first.count == 96)
            #expect(
                first.setAside.map(\.id.rawValue) == broken.sorted().map { 1_000_000 + Int64($0) })
            #expect(first.setAside.allSatisfy { $0.reason.contains("does not reserve") })
            #expect(try await held(store) == 0)
            for _ in 0..<2 {
                let again = try await sweeps(store).expireHolds(fence: fence)
                #expect(again.count == 0 && again.setAside == first.setAside)
            }
            let incidents = try await store.read { tx in try tx.operations.incidents(limit: 99) }
            #expect(incidents.map(\.kind) == Array(repeating: .holdStuck, count: 4))
            #expect(Set(incidents.map(\.reference)).contains("hold:\(first.setAside[0].id)"))
        }
    }

    @Test(arguments: Engine.all)
    func `a batch that others are in the way of becomes smaller, and everything ends`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            try await leaveHolds(store, 70, broken: [])
            let busy = CutStore(store) { [1, 2, 3, 6].contains($0) }
            let ended = try await sweeps(store, over: busy).expireHolds(fence: fence)
            #expect(ended.count == 70 && ended.setAside == [])
            #expect(try await held(store) == 0)
        }
    }

    @Test(arguments: Engine.all)
    func `lots that cannot be emptied are set aside, told once, and the others expire`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            try await store.write { tx in
                try tx.jobs.insertIfNew(
                    JobRecord(
                        name: fence.job, nextDueAt: start, fencingToken: 0, holder: "",
                        heartbeat: 0))
                try tx.accounts.insert(account(), openID: "openid-1")
                let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                for number in 0..<40 {
                    _ = try ledger.grant(
                        Credits(micro: 10), to: owner, kind: .welcome, from: .promotion,
                        key: "welcome-\(number)", origin: .welcome, order: nil, reference: "",
                        expiresAt: .after(Int64(number) + 10), at: start)
                }
                // More than the balance has: what moves it finds that, and refuses.
                try tx.ledger.insert(
                    lot(2_000_000, granted: 1_000, remaining: 1_000, expiresAt: .after(1)))
            }
            let ended = try await sweeps(store).expireLots(fence: fence)
            #expect(ended.count == 40)
            #expect(ended.setAside.map(\.id.rawValue) == [2_000_000])
            let again = try await sweeps(store).expireLots(fence: fence)
            #expect(again.count == 0 && again.setAside == ended.setAside)
            let incidents = try await store.read { tx in try tx.operations.incidents(limit: 9) }
            #expect(incidents.map(\.kind) == [.lotStuck])
            #expect(incidents.map(\.reference) == ["lot:\(ended.setAside[0].id)"])
        }
    }

    @Test func `a store that is away ends the sweep, and is no incident`() async throws {
        try await withStore(on: .sqlite) { store in
            try await leaveHolds(store, 10, broken: [])
            let away = CutStore(store) { _ in true }
            let ending = await Ending {
                _ = try await sweeps(store, over: away).expireHolds(fence: fence)
            }
            #expect(ending == .failure(.unavailable))
            // Ten, five, two, one; the others of that account are not tried.
            #expect(away.writes == 4)
            #expect(try await store.read { tx in try tx.operations.incidents(limit: 9) } == [])
            let ended = try await sweeps(store).expireHolds(fence: fence)
            #expect(ended.count == 10)
        }
    }

    @Test(arguments: Engine.all)
    func `an account that the store has no time for keeps nobody else waiting`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            try await leaveHolds(store, 2, broken: [])
            let other = AccountID(rawValue: 2)
            try await store.write { tx in
                try tx.accounts.insert(account(2), openID: "openid-2")
                let ledger = Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
                _ = try ledger.grant(
                    Credits(micro: 100), to: other, kind: .welcome, from: .promotion,
                    key: "welcome-2", origin: .welcome, order: nil, reference: "", expiresAt: nil,
                    at: start)
                _ = try ledger.hold(
                    HoldRequest(
                        account: other, requestID: IdempotencyKey(rawValue: "r"),
                        requestHash: digest(1), source: .credits, amount: Credits(micro: 10),
                        trialDay: nil, trialLimit: 0, expiresAt: .after(9)), at: start)
            }
            // All three, the first alone; its account's second is not tried.
            let busy = CutStore(store) { [1, 2].contains($0) }
            let ended = try await sweeps(store, over: busy).expireHolds(fence: fence)
            #expect(ended.count == 1)
            #expect(ended.setAside.count == 2 && ended.setAside.allSatisfy(\.mayPass))
            #expect(try await store.read { tx in try tx.operations.incidents(limit: 9) } == [])
            #expect(try await sweeps(store).expireHolds(fence: fence).count == 2)
        }
    }

    @Test func `a lease lost before what was set aside is told leaves that to who has it`()
        async throws
    {
        try await withStore(on: .sqlite) { store in
            try await leaveHolds(store, 1, broken: [0])
            // Writes are: end it, which fails, and tell of it.
            let lost = TakenOverStore(store, job: fence.job, before: 2)
            let ending = await Ending {
                _ = try await sweeps(store, over: lost).expireHolds(fence: fence)
            }
            #expect(ending == .store("fenced: the lease of hold-expire was taken over"))
            #expect(lost.writes == 2 && lost.kept == [])
            #expect(try await store.read { tx in try tx.operations.incidents(limit: 9) } == [])
        }
    }

    @Test func `a lost lease ends the sweep at once`() async throws {
        try await withStore(on: .sqlite) { store in
            try await leaveHolds(store, 10, broken: [])
            let counted = CutStore(store) { _ in false }
            let late = JobFence(job: fence.job, fencingToken: 7)
            let ending = await Ending {
                _ = try await sweeps(store, over: counted).expireHolds(fence: late)
            }
            #expect(ending == .store("fenced: the lease of hold-expire was taken over"))
            #expect(counted.writes == 1)
            #expect(try await held(store) == 100)
        }
    }
}
