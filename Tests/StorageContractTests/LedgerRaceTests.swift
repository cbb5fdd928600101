import Accounts
import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// The ledger's rules over the real store, with many callers at once.
@Suite struct LedgerRaceTests {
    private let owner = AccountID(rawValue: 1)
    private let identifiers = CountingIdentifiers()

    private func ledger(_ tx: any Transaction) -> Ledger {
        Ledger(tx.ledger, accounts: tx.accounts, identifiers: identifiers)
    }

    private func fund(
        _ store: any OpenedStore, _ amounts: [Int64], expiresAt: Timestamp? = nil
    ) async throws {
        try await store.write { tx in
            try tx.accounts.insert(account(), openID: "openid-1")
            for (index, amount) in amounts.enumerated() {
                _ = try ledger(tx).grant(
                    Credits(micro: amount), to: owner, kind: .welcome, from: .promotion,
                    key: "welcome:\(index)", origin: .welcome, order: nil, reference: "",
                    expiresAt: expiresAt, at: start)
            }
        }
    }

    private func request(_ id: String, amount: Int64) -> HoldRequest {
        HoldRequest(
            account: owner, requestID: IdempotencyKey(rawValue: id), requestHash: digest(1),
            source: .credits, amount: Credits(micro: amount), trialDay: nil, trialLimit: 0,
            expiresAt: .after(1_000))
    }

    private func expectCleanBooks(_ store: any OpenedStore) async throws {
        let findings = try await store.read { tx in try tx.operations.audit() }
        #expect(findings.map(\.check) == ["C1", "C2", "C3", "C6", "C7", "C8", "C9", "C13"])
        for finding in findings { #expect(finding.violations == []) }
    }

    @Test(arguments: Engine.all, [(2, 1), (16, 5), (100, 10), (1_000, 37)])
    func exactlyAsManyHoldsPassAsTheBalanceCovers(
        _ engine: Engine, _ load: (callers: Int, covered: Int)
    ) async throws {
        let (callers, covered) = load
        try await withStore(on: engine) { store in
            // Lots of sizes that no hold fits into exactly.
            let parts: [Int64] = [3, 4]
            let rest = Int64(covered) * 10 - 7
            try await fund(store, parts + (rest > 0 ? [rest] : []) + [9])
            let passed = Tally()
            let refused = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<callers {
                    group.addTask {
                        let ending = await Ending {
                            _ = try await store.write { tx in
                                try ledger(tx).hold(request("r\(number)", amount: 10), at: start)
                            }
                        }
                        switch ending {
                        case .value: passed.add()
                        case .failure(.quotaExhausted): refused.add()
                        default: Issue.record("\(ending)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(passed.value == covered)
            #expect(refused.value == callers - covered)
            let balance = try await store.read { tx in try tx.ledger.customerLedger(owner) }
            #expect(balance?.held == Int64(covered) * 10)
            #expect(balance?.balance == Credits(micro: 9))
            try await expectCleanBooks(store)
        }
    }

    @Test(arguments: Engine.all) func aHoldEndsOnceWhoeverComesFirst(_ engine: Engine) async throws
    {
        try await withStore(on: engine) { store in
            try await fund(store, [100])
            let held = try await store.write { tx in
                try ledger(tx).hold(request("one", amount: 60), at: start)
            }
            let ends = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let outcome = try await store.write { tx in
                            switch number % 3 {
                            case 0:
                                try ledger(tx).settle(held.id, price: Credits(micro: 25), at: start)
                            case 1: try ledger(tx).release(held.id, as: .released, at: start)
                            default:
                                try ledger(tx).settle(held.id, price: Credits(micro: 60), at: start)
                            }
                        }
                        if outcome.wasOpen { ends.add() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(ends.value == 1)
            let balance = try await store.read { tx in try tx.ledger.customerLedger(owner) }
            #expect(balance?.held == 0)
            #expect([40, 75, 100].contains(balance?.posted))
            try await expectCleanBooks(store)
        }
    }

    /// Which of the two ended a hold whose time is out just then: 0 its call, 1 the sweep.
    ///
    /// Both begin their write together, when the sweep has seen the hold open.
    private func winners(
        _ hold: HoldID, _ price: Credits, first: Int, _ store: any OpenedStore
    ) async throws -> [Int] {
        let meeting = Meeting(first: first)
        return try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                await meeting.arrive(0)
                let outcome = try await store.write { tx in
                    try ledger(tx).settle(hold, price: price, at: .after(1_000))
                }
                return outcome.wasOpen ? 0 : nil
            }
            group.addTask {
                defer { meeting.open() }
                let ended = try await MeetingStore(store, meeting, place: 1)
                    .sweepHolds(at: .after(1_000))
                #expect(ended.setAside == [])
                return ended.count == 1 ? 1 : nil
            }
            return try await group.reduce(into: []) { winners, winner in
                if let winner { winners.append(winner) }
            }
        }
    }

    /// Both at the moment the hold's time is out, each first every other time.
    @Test(arguments: Engine.all) func settlingAndExpiringMeetAndOneOfThemWins(_ engine: Engine)
        async throws
    {
        let rounds = 60
        let price = Credits(micro: 7)
        try await withStore(on: engine) { store in
            try await fund(store, [10_000])
            // The job's row is there before.
            #expect(try await store.sweepHolds(at: start) == EndedHolds())
            var settled: Int64 = 0
            for round in 0..<rounds {
                let hold = try await store.write { tx in
                    try ledger(tx).hold(request("r\(round)", amount: 10), at: start)
                }
                let winners = try await winners(hold.id, price, first: round % 2, store)
                #expect(winners.count == 1, "round \(round): \(winners)")
                let state = try await store.read { tx in try tx.ledger.hold(hold.id)?.state }
                #expect(state == (winners == [0] ? .settled : .expired))
                if winners == [0] { settled += 1 }
            }
            print("settling won \(settled) of \(rounds) on \(engine.rawValue)")
            let (balance, sums) = try await store.read { tx in
                (
                    try tx.ledger.customerLedger(owner),
                    try tx.ledger.systemBalances(in: .microCredits)
                )
            }
            #expect(balance?.held == 0)
            #expect(balance?.posted == 10_000 - settled * price.micro)
            // Who came late was answered all the same: what that cost is written off.
            let late = (Int64(rounds) - settled) * price.micro
            #expect(sums[.writtenOff, default: 0] == -late)
            #expect(sums[.revenue, default: 0] == Int64(rounds) * price.micro)
            try await expectCleanBooks(store)
        }
    }

    @Test(arguments: Engine.all) func lotsExpireUnderHoldsWithoutLosingACredit(_ engine: Engine)
        async throws
    {
        try await withStore(on: engine) { store in
            try await fund(store, [50, 50], expiresAt: .after(10))
            let holds = try await store.write { tx in
                try (0..<4).map { try ledger(tx).hold(request("r\($0)", amount: 20), at: start) }
            }
            // Only what nobody reserved expires.
            let swept = try await store.write { tx in
                try ledger(tx).sweepLots(in: tx.ledger, at: .after(10), limit: 100)
            }
            #expect(swept == 1)
            try await expectCleanBooks(store)
            #expect(
                await Ending {
                    try await store.write { tx in
                        _ = try ledger(tx).hold(request("late", amount: 1), at: .after(10))
                    }
                } == .failure(.quotaExhausted))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, hold) in holds.enumerated() {
                    group.addTask {
                        try await store.write { tx in
                            if number.isMultiple(of: 2) {
                                _ = try ledger(tx).settle(
                                    hold.id, price: Credits(micro: 5), at: .after(11))
                            } else {
                                _ = try ledger(tx).release(
                                    hold.id, as: .released, at: .after(11))
                            }
                        }
                    }
                    group.addTask {
                        try await store.write { tx in
                            _ = try ledger(tx).sweepLots(in: tx.ledger, at: .after(11), limit: 100)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let balance = try await store.read { tx in try tx.ledger.customerLedger(owner) }
            #expect(balance?.posted == 0 && balance?.held == 0)
            try await expectCleanBooks(store)
        }
    }

    @Test(arguments: Engine.all) func heldCreditsComeBackWhenAHoldExpires(_ engine: Engine)
        async throws
    {
        try await withStore(on: engine) { store in
            try await fund(store, [100])
            try await store.write { tx in
                for number in 0..<5 {
                    _ = try ledger(tx).hold(request("r\(number)", amount: 20), at: start)
                }
            }
            #expect(try await store.sweepHolds(at: .after(999)).count == 0)
            let swept = try await store.write { tx in
                try (
                    ledger(tx).sweepHolds(in: tx.ledger, at: .after(999), limit: 100),
                    ledger(tx).sweepHolds(in: tx.ledger, at: .after(1_000), limit: 3)
                )
            }
            #expect(swept == (0, 3))
            #expect(try await store.sweepHolds(at: .after(1_000)).count == 2)
            let balance = try await store.read { tx in try tx.ledger.customerLedger(owner) }
            #expect(balance?.balance == Credits(micro: 100))
            try await expectCleanBooks(store)
        }
    }
}
