import Accounts
import Application
import Auth
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Statements over histories that the rules of today wrote.
@Suite struct StatementContractTests {
    private static let owner = AccountID(rawValue: 1)
    private static let november = ShanghaiMonth(start)

    /// Adds up a month, in slices of so many movements.
    static func statement(
        _ tx: any Transaction, _ month: ShanghaiMonth, at now: Timestamp, slice: Int = 5_000,
        of account: AccountID = owner
    ) throws -> Statement {
        var sum = try MonthlySum(
            of: account, for: month, at: now, ledgers: tx.ledger, accounts: tx.accounts)
        while !sum.isComplete { try sum.step(tx.ledger, limit: slice) }
        return try sum.statement()
    }

    /// What one movement did, as the test that made it knows.
    private struct Move {
        var kind: Transfer.Kind
        var amount: Int64
        var at: Timestamp
    }

    /// Random movements at moments that mostly go on and sometimes step back; what they must have
    /// come to, by this test's own reckoning.
    private static func move(
        _ numbers: inout SplitMix, _ ledger: Ledger, count: Int
    ) throws -> [Move] {
        var moves: [Move] = []
        var now = november.start
        var latest = Timestamp(milliseconds: 0)
        for step in 0..<count {
            let ahead = Int64.random(in: 0...3 * 86_400_000, using: &numbers)
            let isStepBack = Int.random(in: 0..<8, using: &numbers) == 0
            now = now.adding(milliseconds: isStepBack ? -2 * ahead : ahead)
            // Whatever chance says, the history reaches a third month.
            if step == count - 1 { now = max(now, november.next.next.start) }
            latest = max(latest, now)
            // What the first lots hold: one act takes no more.
            let most = try ledger.spendable(by: owner, at: now).credits.micro
            let isTaken = most > 0 && Bool.random(using: &numbers)
            let amount = Int64.random(in: 1...(isTaken ? most : 1_000), using: &numbers)
            let kind: Transfer.Kind
            if isTaken {
                kind = .adjustment
                _ = try ledger.takeBack(
                    Credits(micro: amount), from: owner, key: "take:\(step)", reference: "t",
                    at: now)
            } else {
                let isBought = Bool.random(using: &numbers)
                kind = isBought ? .purchase : .adjustment
                _ = try ledger.grant(
                    Credits(micro: amount), to: owner, kind: kind, from: .issued,
                    key: "give:\(step)", origin: .adjustment, order: nil, reference: "g",
                    expiresAt: nil, at: now)
            }
            moves.append(Move(kind: kind, amount: isTaken ? -amount : amount, at: latest))
        }
        return moves
    }

    private static func check(
        _ tx: any Transaction, against moves: [Move], seed: UInt64, slice: Int
    ) throws {
        let now = moves.map(\.at).max() ?? november.start
        var balance: Int64 = 0
        var month = ShanghaiMonth(number: november.number - 1)
        var counted = 0
        while month.start <= now {
            let told = try statement(tx, month, at: now, slice: slice)
            let its = moves.filter { ShanghaiMonth($0.at) == month }
            #expect(told.opening == balance, "seed \(seed), \(month): opens with what was left")
            balance += its.reduce(0) { $0 + $1.amount }
            #expect(told.closing == balance, "seed \(seed), \(month)")
            #expect(told.places.count == its.count, "seed \(seed), \(month)")
            for kind in Transfer.Kind.allCases {
                let ofKind = its.filter { $0.kind == kind }.map(\.amount)
                let total =
                    told.totals.first { $0.kind == kind }
                    ?? MovementTotal(kind: kind, count: 0, credited: 0, debited: 0)
                let expected = MovementTotal(
                    kind: kind, count: Int64(ofKind.count),
                    credited: ofKind.filter { $0 > 0 }.reduce(0, +),
                    debited: -ofKind.filter { $0 < 0 }.reduce(0, +))
                #expect(total == expected, "seed \(seed), \(month)")
            }
            counted += told.places.count
            month = month.next
        }
        #expect(counted == moves.count, "seed \(seed): each movement is in one month")
        #expect(try tx.ledger.customerLedger(owner)?.posted == balance)
    }

    @Test(arguments: Engine.all)
    func `months open with what was left, and come to what moved`(_ engine: Engine) async throws {
        let seed = testSeed()
        print("statements: \(engine.rawValue): TOLLGATE_TEST_SEED=\(seed)")
        for number in 0..<3 as Range<UInt64> {
            try await inTransaction(engine) { tx throws in
                let ledger = Ledger(
                    tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
                var numbers = SplitMix(state: seed &+ number)
                let moves = try Self.move(&numbers, ledger, count: 120)
                try Self.check(tx, against: moves, seed: seed &+ number, slice: 7)
                #expect(Set(moves.map { ShanghaiMonth($0.at) }).count > 2, "several months")
            }
        }
    }

    @Test(arguments: Engine.all)
    func `a month begins with its first moment and ends before the next one's`(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
            let december = Self.november.next
            let moments = [
                Self.november.start.adding(milliseconds: -1), Self.november.start,
                december.start.adding(milliseconds: -1), december.start,
            ]
            for (place, moment) in moments.enumerated() {
                _ = try ledger.grant(
                    Credits(micro: 1), to: Self.owner, kind: .purchase, from: .issued,
                    key: "k\(place)", origin: .adjustment, order: nil, reference: "r",
                    expiresAt: nil, at: moment)
            }
            let over = december.end
            let october = ShanghaiMonth(number: Self.november.number - 1)
            let told = try [october, Self.november, december, december.next].map {
                try Self.statement(tx, $0, at: over)
            }
            #expect(told.map(\.places) == [1..<2, 2..<4, 4..<5, 5..<5])
            #expect(told.map(\.opening) == [0, 1, 3, 4])
            #expect(told.map(\.closing) == [1, 3, 4, 4])
            #expect(told.map(\.open) == [nil, nil, nil, OpenReservations(held: 0, calls: 0)])
            let early = try Self.statement(tx, ShanghaiMonth(number: 0), at: over)
            #expect(early.places.isEmpty && early.opening == 0 && early.closing == 0)
            let refusal = #expect(throws: Failure.self) {
                try Self.statement(tx, december.next.next, at: over)
            }
            #expect(refusal?.code == .invalidRequest)
            let nobody = #expect(throws: Failure.self) {
                try Self.statement(
                    tx, december, at: over, of: AccountID(rawValue: 99))
            }
            #expect(nobody?.code == .notFound)
        }
    }

    @Test(arguments: Engine.all)
    func `the running month tells what is open, and free calls of its days`(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let ledger = try #require(try tx.ledger.customerLedger(Self.owner))
            var busy = ledger
            busy.posted = 50
            busy.held = 20
            busy.activity.openCalls = 2
            busy.sequence = 1
            busy.lastMovedAt = start
            busy.chainHash = digest(3)
            try tx.ledger.insert(
                Transfer(
                    id: TransferID(rawValue: 1), key: "k", kind: .purchase, unit: .microCredits,
                    from: .system(.issued), to: .customer(Self.owner), amount: 50,
                    reference: "r", at: start),
                link: ChainLink(sequence: 1, hash: digest(3), postedAfter: 50))
            try tx.ledger.save(busy, replacing: ledger)
            let first = Self.november.firstDay.number
            let next = Self.november.next.firstDay.number
            for (day, used) in [(first - 1, 8), (first, 1), (next - 1, 2), (next, 16)] {
                try tx.accounts.save(
                    TrialDay(
                        account: Self.owner, day: ShanghaiDay(number: day), used: Int64(used)))
            }
            let running = try Self.statement(tx, Self.november, at: start)
            #expect(running.open == OpenReservations(held: 20, calls: 2))
            #expect(running.trialCalls == 3)
            #expect(running.closing == 50)
            let last = try Self.statement(
                tx, Self.november, at: Self.november.end.adding(milliseconds: -1))
            #expect(last.open != nil)
            #expect(try Self.statement(tx, Self.november, at: Self.november.end).open == nil)
        }
    }

    /// Bends what triggers keep: on these copies alone.
    private func bend(_ direct: StoreConnection, _ change: String) throws {
        switch direct {
        case .postgreSQL:
            try direct.execute("ALTER TABLE transfers DISABLE TRIGGER USER; \(change)")
        case .sqlite, .refusing:
            try direct.execute(
                """
                DROP TRIGGER transfers_are_never_changed;
                DROP TRIGGER transfers_are_never_deleted; \(change)
                """)
        }
    }

    @Test(
        arguments: Engine.all,
        [
            "UPDATE transfers SET amount = 11 WHERE sequence = 2",
            "UPDATE transfers SET from_account = 'customer', to_account = 'issued' "
                + "WHERE sequence = 2",
            "DELETE FROM transfers WHERE sequence = 2",
            "UPDATE transfers SET posted_after = 29 WHERE sequence = 3",
            "DELETE FROM transfers WHERE sequence = 3",
            "UPDATE customer_ledgers SET posted = 31",
        ])
    func `a month whose sides differ is not told`(_ engine: Engine, change: String) async throws {
        try await inTransaction(engine) { tx throws in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
            for place in 0..<3 {
                _ = try ledger.grant(
                    Credits(micro: 10), to: Self.owner, kind: .purchase, from: .issued,
                    key: "k\(place)", origin: .adjustment, order: nil, reference: "r",
                    expiresAt: nil, at: start)
            }
            #expect(try Self.statement(tx, Self.november, at: start).closing == 30)
            try bend(connection(tx), change)
            #expect(throws: StatementMismatch.self) {
                try Self.statement(tx, Self.november, at: start, slice: 2)
            }
        }
    }

    private func ports(_ store: any OpenedStore) throws -> Ports {
        let clock = FixedClock(milliseconds: start.milliseconds)
        return Ports(
            store: store, clock: clock, random: SystemRandom(),
            identifiers: TimeSortedIdentifiers(clock: clock),
            identityKey: try #require(IdentityKey([UInt8](repeating: 7, count: 32))),
            policy: ServicePolicy())
    }

    @Test(arguments: Engine.all)
    func
        `a month longer than a slice is told whole, and once its sides differ there is an incident`(
            _ engine: Engine
        ) async throws
    {
        let count = Int64(Limits.statementSliceRows) + 100
        try await withStore(on: engine) { store in
            try await store.write { tx in
                try tx.accounts.insert(account(), openID: "openid-1")
                let ledger = try #require(try tx.ledger.customerLedger(Self.owner))
                for number in 1...count {
                    try tx.ledger.insert(
                        Transfer(
                            id: TransferID(rawValue: number), key: "k\(number)", kind: .purchase,
                            unit: .microCredits, from: .system(.issued),
                            to: .customer(Self.owner), amount: 2, reference: "r", at: start),
                        link: ChainLink(
                            sequence: number, hash: digest(1), postedAfter: 2 * number))
                }
                var moved = ledger
                moved.posted = 2 * count
                moved.sequence = count
                moved.lastMovedAt = start
                try tx.ledger.save(moved, replacing: ledger)
            }
            let statements = Statements(try ports(store))
            let told = try await statements.statement(of: Self.owner, for: nil)
            #expect(told.month == Self.november)
            #expect(told.closing == 2 * count)
            #expect(
                told.totals == [
                    MovementTotal(kind: .purchase, count: count, credited: 2 * count, debited: 0)
                ])
            try await store.write { tx in
                try bend(connection(tx), "UPDATE transfers SET amount = 3 WHERE sequence = 5050")
            }
            for _ in 0..<2 {
                let ending = await Ending {
                    _ = try await statements.statement(of: Self.owner, for: Self.november)
                }
                #expect(ending == .failure(.internalError))
            }
            let incidents = try await store.read { tx in try tx.operations.incidents(limit: 9) }
            #expect(incidents.map(\.kind) == [.statementMismatch])
            #expect(incidents.first?.reference == "account:\(Self.owner)")
            #expect(
                incidents.first?.summary
                    == "The statement of \(Self.owner) for 2023-11: 0 + 10201 - 0 is not 10200 "
                    + "micro-credits.")
        }
    }

    @Test(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
    func `PostgreSQL finds places and months by the history's key`() async throws {
        try await inTransaction(.postgreSQL) { tx throws in
            let direct = try connection(tx)
            // On a table this small a scan costs less; without one the plan tells what is there.
            try direct.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            let place = try direct.all(
                SQL("EXPLAIN " + StoredLedger.StatementText.place.text), Int64(1), Int64(1)
            ) { $0.text(0) }
            let totals = try direct.all(
                SQL("EXPLAIN " + StoredLedger.StatementText.totals.text), Int64(1), Int64(1),
                Int64(9)
            ) { $0.text(0) }
            for (plan, bounds) in [
                (place, ["(customer = ", "(sequence = "]),
                (totals, ["(customer = ", "(sequence >= ", "(sequence < "]),
            ] {
                let text = plan.joined(separator: "\n")
                let scan = try #require(plan.firstIndex { $0.contains("transfers_have_one_place") })
                #expect(plan[scan].contains("Index Scan"), "\(text)")
                for bound in bounds { #expect(plan[scan + 1].contains(bound), "\(text)") }
                #expect(plan[scan + 1].contains("Index Cond:"), "\(text)")
            }
            #expect(place.contains { $0.contains("clock_steps_pkey") }, "\(place)")
        }
    }
}
