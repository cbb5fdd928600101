internal import Accounts
internal import TollgateKernel

/// One pass over all transfers, for every checker that has to see each of them: C1, the journal's
/// part of C2, the charges of calls and the sums of what was used, given away and written off for
/// C6, movements between our own accounts that nothing makes for C6 and C7, and the hash chains of
/// C9.
///
/// Of kinds that are rare, and that an act, a payment or a deletion has to explain, a query is
/// asked for the rows between the first and the last that a slice has: a pass of its own for each
/// of them would read every transfer once more.
///
/// In the order of their numbers, which is the file's: in the customers' order each row would be a
/// look-up somewhere else, and that took a third of an audit. A transfer mostly follows the one
/// that its customer had last; if it does not (two processes wrote in one millisecond, or a clock
/// was set back), the one before it is looked up.
struct TransferAudit {
    let connection: StoreConnection
    /// Transfers that are read at once.
    var sliceRows = Limits.auditSliceRows
    /// Customers whose standing is kept at once: with more there is a pass for each part of them.
    var customersAtOnce = Limits.auditCustomersAtOnce

    /// What was found.
    struct Verdict {
        /// Transfers.
        var rows: Int64 = 0
        /// Those of customers.
        var linkedRows: Int64 = 0
        /// Micro-credits that were used.
        var used: Int128 = 0
        /// Micro-credits that calls cost us: free and white-listed ones.
        var givenAway: Int128 = 0
        /// Micro-credits above their holds.
        var writtenOff: Int128 = 0
        /// Micro-credits that came with orders.
        var bought: Int128 = 0
        /// The charges of calls.
        var charges = CallCharges()
        /// C1: units that do not add up, or are mixed.
        var units = Violations()
        /// C2: balances that are not their history's.
        var balances = Violations()
        /// C2: credits that were adjusted without an act, or forfeited without a deletion.
        var unexplainedCredits = Violations()
        /// C6: credits that moved between our own accounts as nothing moves them.
        var strayCredits = Violations()
        /// C7: fen that did, or that no payment explains.
        var strayMoney = Violations()
        /// C9: links that do not follow, and rows that tell of another end.
        var chains = Violations()
    }

    /// What a customer's transfers came to so far.
    fileprivate struct Standing {
        var entries: Int64 = 0
        var posted: Int128 = 0
        var end = ChainEnd()
    }

    /// What the walk carries from row to row.
    private struct Walk: ~Copyable {
        var verdict = Verdict()
        var verifier: ChainVerifier
        /// The customers of this pass.
        var range = Int64.min...Int64.max
        var isFirstPass = true
        var fen: Int128 = 0
        var microCredits: Int128 = 0
        var mixedUnits = Violations()
        var standings: [Int64: Standing] = [:]
        /// Transfers of this slice that do not follow their customer's last one.
        var late: [Int64] = []
        /// Where those of this slice lie that something else has to explain.
        var adjustments = Span()
        var forfeits = Span()
        var moneyMoves = Span()
    }

    /// From the first to the last of some transfers.
    private struct Span {
        private(set) var range: ClosedRange<Int64>?

        /// Takes one in; they come in the order of their numbers, unless somebody tampered.
        mutating func take(_ id: Int64) {
            range = min(range?.lowerBound ?? id, id)...max(range?.upperBound ?? id, id)
        }
    }

    /// Goes through all of them.
    func verdict() throws(StoreError) -> Verdict {
        var walk = Walk(verifier: try ChainVerifier())
        while true {
            let next = try connection.first(
                Text.nextRange, walk.range.lowerBound, Int64(customersAtOnce)
            ) { $0.integer(0) }
            walk.range = walk.range.lowerBound...(next.map { $0 - 1 } ?? .max)
            try passOver(&walk)
            try compare(&walk)
            guard let next else { break }
            walk.range = next...Int64.max
            walk.isFirstPass = false
        }
        if walk.fen != 0 { walk.verdict.units.tell("accounts in fen add up to \(walk.fen)") }
        if walk.microCredits != 0 {
            walk.verdict.units.tell("accounts in micro_credits add up to \(walk.microCredits)")
        }
        walk.verdict.units.add(walk.mixedUnits)
        return walk.verdict
    }

    private func passOver(_ walk: inout Walk) throws(StoreError) {
        var last = Int64.min
        while true {
            // What each row comes to is added where it is read: nothing is kept of it.
            let seen: [Void] = try connection.all(Text.slice, last, Int64(sliceRows)) {
                row throws(StoreError) in
                last = row.integer(0)
                try Self.look(at: row, &walk)
            }
            for id in walk.late {
                try connection.first(Text.late, id) { row throws(StoreError) in
                    let before = ChainEnd(
                        sequence: row.integer(13), postedAfter: row.integer(14),
                        hash: ChainHash(row.lentBytes(15)) ?? ChainHash())
                    let link = Self.link(row)
                    var isWhole = !row.isNull(13)
                    if isWhole { isWhole = try walk.verifier.follows(link, before) }
                    if !isWhole { Self.tellOfBreak(link, &walk) }
                }
            }
            walk.late.removeAll(keepingCapacity: true)
            try explain(&walk)
            guard seen.count == sliceRows else { return }
        }
    }

    /// Asks for what explains the rare ones of a slice.
    private func explain(_ walk: inout Walk) throws(StoreError) {
        try forEachUnexplained(&walk.adjustments, AuditText.adjustments) {
            walk.verdict.unexplainedCredits.tell($0)
        }
        try forEachUnexplained(&walk.forfeits, AuditText.forfeits) {
            walk.verdict.unexplainedCredits.tell($0)
        }
        try forEachUnexplained(&walk.moneyMoves, AuditText.loneMoney) {
            walk.verdict.strayMoney.tell($0)
        }
    }

    private func forEachUnexplained(
        _ span: inout Span, _ text: SQL, _ tell: (String) -> Void
    ) throws(StoreError) {
        guard let range = span.range else { return }
        span = Span()
        _ = try connection.all(text, range.lowerBound, range.upperBound) { tell($0.text(0)) }
    }

    private static func look(at row: Row, _ walk: inout Walk) throws(StoreError) {
        if walk.isFirstPass { countUnits(row, &walk) }
        guard !row.isNull(6) else { return }
        let link = link(row)
        guard walk.range.contains(link.customer) else { return }
        walk.verdict.linkedRows += 1
        let posted = Int128(link.to.reads("customer") ? link.amount : 0 &- link.amount)
        let before = walk.standings[link.customer, default: Standing()].take(link, posted)
        if link.sequence == before.sequence &+ 1 {
            if try !walk.verifier.follows(link, before) { tellOfBreak(link, &walk) }
        } else if link.sequence == 1 {
            if try !walk.verifier.follows(link, ChainEnd()) { tellOfBreak(link, &walk) }
        } else {
            walk.late.append(link.id)
        }
    }

    private static func countUnits(_ row: Row, _ walk: inout Walk) {
        let (unit, from, to) = (row.lent(3), row.lent(4), row.lent(5))
        let amount = row.integer(7)
        let (isFen, isMicroCredits) = (unit.reads("fen"), unit.reads("micro_credits"))
        let part =
            Int128(to.reads("customer") ? 0 : amount)
            - Int128(from.reads("customer") ? 0 : amount)
        walk.verdict.rows += 1
        if isFen { walk.fen += part }
        if isMicroCredits { walk.microCredits += part }
        let kind = row.lent(2)
        count(row, kind, amount, &walk)
        let isMixed =
            isFen != isOfFen(from) || isFen != isOfFen(to) || !(isFen || isMicroCredits)
            || amount <= 0
        if isMixed {
            walk.mixedUnits.tell(
                "transfer \(row.integer(0)) moves \(unit.text) from \(from.text) to \(to.text)")
        } else if !from.reads("customer"), !to.reads("customer"), !isKnown(kind, from, to) {
            let sentence =
                "transfer \(row.integer(0)) is no \(kind.text) from \(from.text) to \(to.text)"
            if isFen {
                walk.verdict.strayMoney.tell(sentence)
            } else {
                walk.verdict.strayCredits.tell(sentence)
            }
        }
    }

    /// Counts a transfer of its kind.
    private static func count(
        _ row: Row, _ kind: LentText, _ amount: Int64, _ walk: inout Walk
    ) {
        let key = row.lent(1)
        walk.verdict.charges.take(key, kind, amount: amount, customer: row.optionalInteger(6))
        if kind.reads("usage") {
            walk.verdict.used += Int128(amount)
        } else if kind.reads("promotion") {
            walk.verdict.givenAway += Int128(amount)
        } else if kind.reads("overrun") {
            walk.verdict.writtenOff += Int128(amount)
        } else if kind.reads("purchase") {
            // Each is held against the orders, whatever key it names.
            walk.verdict.bought += Int128(amount)
        } else if kind.reads("payment") {
            walk.moneyMoves.take(row.integer(0))
        } else if kind.reads("adjustment") {
            walk.adjustments.take(row.integer(0))
            walk.moneyMoves.take(row.integer(0))
        } else if kind.reads("forfeit") {
            walk.forfeits.take(row.integer(0))
        }
    }

    /// Whether the ledger moves anything so between our own accounts; which row explains it is held
    /// against holds (``HoldTransferAudit``) and payments.
    private static func isKnown(_ kind: LentText, _ from: LentText, _ to: LentText) -> Bool {
        if kind.reads("promotion") { return from.reads("promotion") && to.reads("revenue") }
        if kind.reads("overrun") { return from.reads("written_off") && to.reads("revenue") }
        if kind.reads("payment") {
            return from.reads("wechat_clearing") && (to.reads("sales") || to.reads("refunds"))
        }
        return kind.reads("adjustment") && from.reads("refunds") && to.reads("sales")
    }

    private static func isOfFen(_ account: LentText) -> Bool {
        account.reads("sales") || account.reads("refunds") || account.reads("wechat_clearing")
    }

    private static func link(_ row: Row) -> StoredLink {
        StoredLink(
            id: row.integer(0), key: row.lent(1), kind: row.lent(2), unit: row.lent(3),
            from: row.lent(4), to: row.lent(5), customer: row.integer(6), amount: row.integer(7),
            reference: row.lent(8), at: row.integer(9), sequence: row.integer(10),
            postedAfter: row.integer(12), hash: row.lentBytes(11))
    }

    private static func tellOfBreak(_ link: StoredLink, _ walk: inout Walk) {
        walk.verdict.chains.tell(
            "account \(AccountID(rawValue: link.customer)): the chain breaks at transfer "
                + "\(link.sequence)")
    }

    /// Holds the customers' rows against what their transfers came to.
    private func compare(_ walk: inout Walk) throws(StoreError) {
        try connection.forEach(Text.ledgers) { row in
            let account = row.integer(0)
            guard walk.range.contains(account) else { return }
            let standing = walk.standings.removeValue(forKey: account) ?? Standing()
            walk.microCredits += Int128(row.integer(1))
            Self.compareBalance(row, standing, &walk.verdict.balances)
            let end = ChainEnd(
                sequence: row.integer(3), postedAfter: row.integer(1),
                hash: ChainHash(row.lentBytes(8)) ?? ChainHash())
            if end != standing.end || row.lentBytes(8).count != 32 {
                Self.tellOfEnd(account, standing, &walk.verdict.chains)
            }
        }
        for (account, standing) in walk.standings.sorted(by: { $0.key < $1.key }) {
            Self.tellOfEnd(account, standing, &walk.verdict.chains)
        }
        walk.standings.removeAll(keepingCapacity: true)
    }

    private static func tellOfEnd(
        _ account: Int64, _ standing: Standing, _ chains: inout Violations
    ) {
        chains.tell(
            "account \(AccountID(rawValue: account)): its row does not tell of its last transfer, "
                + "\(standing.end.sequence)")
    }

    private static func compareBalance(
        _ row: Row, _ standing: Standing, _ balances: inout Violations
    ) {
        let (posted, held, sequence) = (row.integer(1), row.integer(2), row.integer(3))
        let (remaining, ofHolds) = (row.integer(4), row.integer(5))
        let (ofLots, reserved) = (row.integer(6), row.integer(7))
        guard
            Int128(posted) != standing.posted || posted != remaining || held != ofHolds
                || held != ofLots || held != reserved || sequence != standing.entries
        else { return }
        balances.tell(
            "account \(row.integer(0)): posted \(posted), transfers \(standing.posted), lots "
                + "\(remaining); held \(held), holds \(ofHolds), lots \(ofLots), reserved "
                + "\(reserved); sequence \(sequence), transfers \(standing.entries)")
    }
}

extension TransferAudit.Standing {
    /// Takes a transfer in; where the history stood before it.
    fileprivate mutating func take(_ link: StoredLink, _ change: Int128) -> ChainEnd {
        let before = end
        entries += 1
        posted += change
        if link.sequence > end.sequence { end = link.end }
        return before
    }
}

extension TransferAudit {
    /// The statements; tests look at their query plans.
    enum Text {
        static let columns = """
            transfers.id, transfers.transfer_key, transfers.kind, transfers.unit,
            transfers.from_account, transfers.to_account, transfers.customer, transfers.amount,
            transfers.reference, transfers.occurred_at, transfers.sequence, transfers.chain_hash,
            transfers.posted_after
            """
        static let slice = SQL(
            "SELECT \(columns) FROM transfers WHERE id > $1 ORDER BY id LIMIT $2")
        static let late = SQL(
            """
            SELECT \(columns), before.sequence, before.posted_after, before.chain_hash
            FROM transfers LEFT JOIN transfers AS before
                ON before.customer = transfers.customer
                AND before.sequence = transfers.sequence - 1
            WHERE transfers.id = $1
            """)
        static let nextRange = SQL(
            """
            SELECT account FROM customer_ledgers WHERE account >= $1
            ORDER BY account LIMIT 1 OFFSET $2
            """)
        // Grouping by an expression keeps SQLite from going through an index in the account's
        // order: for what is open that would be all holds instead of few.
        static let ledgers = SQL(
            """
            WITH lot_sums AS (
                SELECT account, SUM(remaining) AS remaining, SUM(held) AS held
                FROM lots GROUP BY account),
            open_holds AS (
                SELECT account + 0 AS account, SUM(amount) AS amount FROM holds
                WHERE state = 'held' AND source = 'credits' GROUP BY account + 0),
            reserved AS (
                SELECT holds.account + 0 AS account, SUM(hold_lots.amount) AS amount
                FROM holds JOIN hold_lots ON hold_lots.hold = holds.id
                WHERE holds.state = 'held' GROUP BY holds.account + 0)
            SELECT books.account, books.posted, books.held, books.sequence,
                COALESCE(lot_sums.remaining, 0), COALESCE(open_holds.amount, 0),
                COALESCE(lot_sums.held, 0), COALESCE(reserved.amount, 0), books.chain_hash
            FROM customer_ledgers AS books
            LEFT JOIN lot_sums ON lot_sums.account = books.account
            LEFT JOIN open_holds ON open_holds.account = books.account
            LEFT JOIN reserved ON reserved.account = books.account
            """)
    }
}
