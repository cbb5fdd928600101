import Accounts
import Application
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// A store as the code of schema 11 left it, which did not keep histories in order of time: what
/// the migrations behind it write, and statements over its rows.
@Suite struct StatementUpgradeTests {
    private static let now = ShanghaiMonth(start).next.next.next.start

    /// A customer's movements as they stand in the store.
    private struct Past {
        let account: AccountID
        var moves: [(amount: Int64, at: Timestamp)] = []

        /// The latest moment at each place, by the definition.
        var reached: [Timestamp] {
            moves.indices.map { place in moves[...place].map(\.at).max() ?? start }
        }

        /// The first place whose moment is no earlier, by the definition.
        func cut(_ moment: Timestamp) -> Int64 {
            Int64(moves.firstIndex { $0.at >= moment } ?? moves.count) + 1
        }

        /// What the first places come to.
        func posted(_ places: Int64) -> Int64 {
            moves.prefix(Int(places)).reduce(0) { $0 + $1.amount }
        }
    }

    /// Nobody's, an ordered one, one of a clock that stepped, one of a clock that was far ahead
    /// first.
    private static func pasts(_ seed: UInt64) -> [Past] {
        var random = SplitMix(state: seed)
        return (1...4 as ClosedRange<Int64>).map { number in
            var past = Past(account: AccountID(rawValue: number))
            guard number > 1 else { return past }
            var now = ShanghaiMonth(start).start.milliseconds
            if number == 4 { past.moves.append((9, Self.now.adding(milliseconds: -2))) }
            for _ in 0..<60 {
                let balance = past.posted(.max)
                let isTaken = balance > 0 && Bool.random(using: &random)
                let amount =
                    isTaken
                    ? -Int64.random(in: 1...balance, using: &random)
                    : Int64.random(in: 1...1_000, using: &random)
                // Now and then two of one moment; a clock that steps, by days or by one tick.
                let ahead: [Int64] = [0, 1, 7_200_000, 86_400_000, 3 * 86_400_000]
                now += ahead.randomElement(using: &random) ?? 0
                let backward: [Int64] = [0, 0, 0, 1, 5 * 86_400_000]
                let back = backward.randomElement(using: &random) ?? 0
                past.moves.append(
                    (amount, Timestamp(milliseconds: number == 2 ? now : now - back)))
            }
            return past
        }
    }

    /// Makes a store of schema 11, and its rows in the words of the code of that time.
    private static func make(
        _ pasts: [Past], _ dialect: SchemaDialect, _ direct: StoreConnection
    ) throws {
        let before = Migrator(
            migrations: Schema.migrations.filter { $0.number < Schema.lastMoves.number },
            dialect: dialect)
        #expect(before.knownVersion == 11)
        try before.prepare(direct, realm: .sandbox, now: start)
        try before.migrate(direct, now: start)
        var id: Int64 = 0
        for past in pasts {
            let owner = past.account
            try direct.run(
                SQL(
                    """
                    INSERT INTO accounts (id, openid_digest, openid, status, is_white_listed,
                        opened_at) VALUES ($1, $2, $3, 'active', 0, $4)
                    """), owner.rawValue, digest(UInt8(owner.rawValue)), "o\(owner)",
                start.milliseconds)
            var hash = LedgerChain.origin
            for (index, move) in past.moves.enumerated() {
                id += 1
                let sequence = Int64(index) + 1
                let isIncoming = move.amount > 0
                let transfer = Transfer(
                    id: TransferID(rawValue: id), key: "k\(id)",
                    kind: isIncoming ? .welcome : .expiry, unit: .microCredits,
                    from: isIncoming ? .system(.promotion) : .customer(owner),
                    to: isIncoming ? .customer(owner) : .system(.expired),
                    amount: abs(move.amount), reference: "r\(id)", at: move.at)
                let after = past.posted(sequence)
                hash = try LedgerChain.hash(
                    previous: hash, transfer: transfer, sequence: sequence, postedAfter: after)
                try direct.run(
                    SQL(
                        """
                        INSERT INTO transfers (id, transfer_key, kind, unit, from_account,
                            to_account, customer, amount, reference, occurred_at, sequence,
                            chain_hash, posted_after)
                        VALUES ($1, $2, $3, 'micro_credits', $4, $5, $6, $7, $8, $9, $10, $11, $12)
                        """), id, transfer.key, transfer.kind.rawValue,
                    isIncoming ? "promotion" : "customer", isIncoming ? "customer" : "expired",
                    owner.rawValue, transfer.amount, transfer.reference, move.at.milliseconds,
                    sequence, hash, after)
            }
            try direct.run(
                SQL(
                    """
                    INSERT INTO customer_ledgers (account, posted, held, sequence, chain_hash)
                    VALUES ($1, $2, 0, $3, $4)
                    """), owner.rawValue, past.posted(.max), Int64(past.moves.count), hash)
            try direct.run(
                SQL(
                    """
                    INSERT INTO lots (id, account, origin, granted, remaining, held)
                    VALUES ($1, $1, 'welcome', 1000000, $2, 0)
                    """), owner.rawValue, past.posted(.max))
        }
        try moveOurOwn(direct, after: id)
    }

    /// Nobody's history: our own accounts are not chained, whatever their moments.
    ///
    /// The payments are those of an order that is not here.
    private static func moveOurOwn(_ direct: StoreConnection, after last: Int64) throws {
        var id = last
        try direct.run(
            SQL(
                """
                INSERT INTO incidents (incident_key, kind, reference, summary, occurred_at)
                VALUES ('unknown_order:r', 'unknown_order', 'r', '', $1)
                """), start.milliseconds)
        for at in [9, 3] as [Int64] {
            id += 1
            try direct.run(
                SQL(
                    """
                    INSERT INTO transfers (id, transfer_key, kind, unit, from_account, to_account,
                        amount, reference, occurred_at)
                    VALUES ($1, $2, 'payment', 'fen', 'wechat_clearing', 'refunds', 5, 'r', $3)
                    """), id, "payment:k\(id)", start.milliseconds + at)
        }
    }

    private static func check(_ store: any OpenedStore, _ pasts: [Past], seed: UInt64) async throws
    {
        let hint = "TOLLGATE_TEST_SEED=\(seed)"
        try await store.read { tx in
            for past in pasts {
                let ledger = try #require(try tx.ledger.customerLedger(past.account))
                let last = past.reached.last ?? Timestamp(milliseconds: 0)
                #expect(ledger.lastMovedAt == last, "\(hint), \(past.account)")
                for (index, reached) in past.reached.enumerated() {
                    let place = Int64(index) + 1
                    #expect(
                        try tx.ledger.place(place, of: past.account)
                            == HistoryPlace(reachedAt: reached, postedAfter: past.posted(place)),
                        "\(hint), \(past.account), \(place)")
                }
                var opening: Int64 = 0
                var month = ShanghaiMonth(number: ShanghaiMonth(start).number - 1)
                while month.start <= now {
                    let told = try StatementContractTests.statement(
                        tx, month, at: now, slice: 9, of: past.account)
                    #expect(
                        told.places == past.cut(month.start)..<past.cut(month.end),
                        "\(hint), \(past.account), \(month)")
                    #expect(told.opening == opening, "\(hint), \(past.account), \(month)")
                    #expect(told.closing == past.posted(told.places.upperBound - 1))
                    opening = told.closing
                    month = month.next
                }
                #expect(opening == ledger.posted, "\(hint), \(past.account)")
            }
            let steps = try connection(tx).all(
                SQL("SELECT customer, COUNT(*) FROM clock_steps GROUP BY customer ORDER BY 1")
            ) { [$0.integer(0), $0.integer(1)] }
            #expect(steps.map { $0[0] } == [3, 4], "\(hint): histories in order note nothing")
            // All of the last one's movements lie behind one step.
            #expect(steps.last == [4, 1], "\(hint)")
            for finding in try tx.operations.audit() {
                #expect(finding.violations == [], "\(hint): \(finding.check)")
            }
        }
    }

    /// What moves now is no earlier than what moved before, and what was noted stays.
    private static func moveOn(_ store: any OpenedStore, _ pasts: [Past]) async throws {
        let last = try #require(pasts.last)
        try await store.write { tx in
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: LateIdentifiers())
            _ = try ledger.grant(
                Credits(micro: 5), to: last.account, kind: .adjustment, from: .issued, key: "new",
                origin: .adjustment, order: nil, reference: "r", expiresAt: nil, at: start)
            let place = Int64(last.moves.count) + 1
            #expect(
                try tx.ledger.place(place, of: last.account)
                    == HistoryPlace(
                        reachedAt: last.moves[0].at, postedAfter: last.posted(.max) + 5))
            let moved = try tx.ledger.entries(of: last.account, after: 0, before: nil, limit: 1)
            #expect(moved.map(\.transfer.at) == [last.moves[0].at])
            var chain = ChainAudit()
            while try chain.step(tx.ledger, limit: 50) {}
            #expect(chain.violations == [])
        }
        for change in ["UPDATE clock_steps SET reached_at = 1", "DELETE FROM clock_steps"] {
            let ending = await Ending {
                try await store.write { tx in try connection(tx).execute(change) }
            }
            guard case .store(let text) = ending, text.contains("constraint") else {
                Issue.record("\(change): \(ending)")
                continue
            }
        }
    }

    @Test func `a file of schema 11 knows when its accounts last moved, and cuts their months`()
        async throws
    {
        let seed = testSeed()
        print("schema 11: SQLite: TOLLGATE_TEST_SEED=\(seed)")
        let pasts = Self.pasts(seed)
        let folder = try TemporaryFolder()
        let writer = try WriterConnection(path: folder.database)
        let failure = try writer.use { used -> (any Error)? in
            do {
                try Self.make(pasts, .sqlite, .sqlite(used))
                return nil
            } catch {
                return error
            }
        }
        #expect(failure == nil)
        writer.close()
        let store = try await folder.open()
        try await Self.check(store, pasts, seed: seed)
        try await Self.moveOn(store, pasts)
        await store.close()
    }

    @Test(.enabled(if: PostgresServer.isInstalled, "SKIPPED: PostgreSQL is not installed"))
    func `a database of schema 11 knows when its accounts last moved, and cuts their months`()
        async throws
    {
        let seed = testSeed()
        print("schema 11: PostgreSQL: TOLLGATE_TEST_SEED=\(seed)")
        let pasts = Self.pasts(seed)
        let schema = try TemporarySchema()
        let before = try PostgreSQLConnection(
            PostgreSQLTarget(schema.server.address(schema: schema.name)), waitMilliseconds: 60_000)
        try Self.make(pasts, .postgreSQL, .postgreSQL(before))
        let store = try await schema.open()
        try await Self.check(store, pasts, seed: seed)
        try await Self.moveOn(store, pasts)
        await store.close()
        try schema.remove()
    }
}

/// Identifiers behind those that the old rows have.
private struct LateIdentifiers: IdentifierGenerator {
    func next() -> Int64 { 1_000_000 + Int64.random(in: 1...1_000_000) }
}
