internal import Accounts
internal import TollgateKernel

/// Balances, lots and holds; transfers are in `StoredLedger+Transfers.swift`.
struct StoredLedger: LedgerRepository {
    let connection: StoreConnection

    func customerLedger(_ account: AccountID) throws(StoreError) -> CustomerLedger? {
        try connection.first(LedgerText.ledger, account.rawValue) { row in
            Self.ledger(of: account, row, from: 0)
        }
    }

    func standing(
        of account: AccountID, on day: ShanghaiDay, requestID: IdempotencyKey
    ) throws(StoreError) -> Standing? {
        try connection.first(
            LedgerText.standing, account.rawValue, day.number, requestID.rawValue
        ) { row throws(StoreError) in
            Standing(
                account: Account(
                    id: account, openIDDigest: row.bytes(0), status: try row.word(1),
                    isWhiteListed: row.truth(2), openedAt: row.moment(3),
                    tier: StoredTiers.tier(row, from: 4), hasOwnKeys: row.integer(23) > 0,
                    deletedAt: row.optionalMoment(24)),
                ledger: Self.ledger(of: account, row, from: 10), trialUsed: row.integer(20),
                earlier: row.isNull(21)
                    ? nil : EarlierHold(requestHash: row.bytes(21), state: try row.word(22)))
        }
    }

    func save(_ new: CustomerLedger, replacing old: CustomerLedger) throws(StoreError) {
        let changed = try connection.run(
            LedgerText.saveLedger, new.posted, new.held, new.sequence, new.chainHash,
            new.activity.openCalls, new.activity.requests.minute, new.activity.requests.count,
            new.activity.tokens.minute, new.activity.tokens.count,
            new.lastMovedAt.milliseconds, old.account.rawValue, old.posted, old.held, old.sequence,
            old.chainHash)
        guard changed == 1 else { throw .conflict("balance of \(old.account) has changed") }
    }

    func spendableLots(
        of account: AccountID, at now: Timestamp, limit: Int
    ) throws(StoreError) -> [Lot] {
        try connection.all(
            LedgerText.spendableLots, account.rawValue, now.milliseconds, bounded(limit),
            decode: Self.lot)
    }

    func openLots(of account: AccountID, limit: Int) throws(StoreError) -> [Lot] {
        try connection.all(LedgerText.openLots, account.rawValue, bounded(limit), decode: Self.lot)
    }

    func expiredLots(at now: Timestamp, limit: Int) throws(StoreError) -> [Lot] {
        try connection.all(
            LedgerText.expiredLots, now.milliseconds, bounded(limit), decode: Self.lot)
    }

    func lot(_ id: LotID) throws(StoreError) -> Lot? {
        try connection.first(LedgerText.lot, id.rawValue, decode: Self.lot)
    }

    func insert(_ lot: Lot) throws(StoreError) {
        try connection.run(
            LedgerText.insertLot, lot.id.rawValue, lot.account.rawValue, lot.origin.rawValue,
            lot.order?.rawValue, lot.granted, lot.remaining, lot.held,
            lot.expiresAt?.milliseconds)
    }

    func save(_ new: Lot, replacing old: Lot) throws(StoreError) {
        let changed = try connection.run(
            LedgerText.saveLot, new.remaining, new.held, old.id.rawValue, old.remaining, old.held)
        guard changed == 1 else { throw .conflict("lot \(old.id) has changed") }
    }

    func hold(_ id: HoldID) throws(StoreError) -> Hold? {
        try connection.first(LedgerText.hold, id.rawValue, decode: Self.hold)
    }

    func hold(
        of account: AccountID, requestID: IdempotencyKey
    ) throws(StoreError) -> Hold? {
        try connection.first(
            LedgerText.holdOfRequest, account.rawValue, requestID.rawValue, decode: Self.hold)
    }

    func holds(
        of account: AccountID, after request: IdempotencyKey?, limit: Int
    ) throws(StoreError) -> [Hold] {
        // No request id is empty.
        try connection.all(
            LedgerText.holdsOfAccount, account.rawValue, request?.rawValue ?? "", bounded(limit),
            decode: Self.hold)
    }

    func expiredHolds(
        at now: Timestamp, after hold: Hold?, limit: Int
    ) throws(StoreError) -> [Hold] {
        try connection.all(
            LedgerText.expiredHolds, now.milliseconds, hold?.expiresAt.milliseconds ?? .min,
            hold?.id.rawValue ?? .min, bounded(limit), decode: Self.hold)
    }

    func insert(_ hold: Hold, reservations: [LotReservation]) throws(StoreError) {
        try connection.run(
            LedgerText.insertHold, hold.id.rawValue, hold.account.rawValue, hold.requestID.rawValue,
            hold.requestHash, hold.source.rawValue, hold.amount.micro, hold.state.rawValue,
            hold.settled.micro, hold.trialDay?.number, hold.createdAt.milliseconds,
            hold.expiresAt.milliseconds, hold.endedAt?.milliseconds, hold.apiKey?.rawValue)
        for (position, reservation) in reservations.enumerated() {
            try connection.run(
                LedgerText.insertReservation, hold.id.rawValue, position, reservation.lot.rawValue,
                reservation.amount)
        }
    }

    func reservations(of hold: HoldID) throws(StoreError) -> [ReservedLot] {
        try connection.all(LedgerText.reservations, hold.rawValue) { row throws(StoreError) in
            ReservedLot(lot: try Self.lot(row), amount: row.integer(8))
        }
    }

    func end(_ hold: Hold) throws(StoreError) -> Bool {
        let changed = try connection.run(
            LedgerText.endHold, hold.state.rawValue, hold.settled.micro, hold.endedAt?.milliseconds,
            hold.id.rawValue, hold.account.rawValue, hold.source.rawValue, hold.amount.micro)
        return changed == 1
    }

    func changeSpending(
        of key: APIKeyID, heldBy held: Int64, spentBy spent: Int64
    ) throws(StoreError) {
        let changed = try connection.run(
            LedgerText.changeSpending, held, spent, key.rawValue)
        guard changed == 1 else { throw .conflict("no API key \(key)") }
    }

    /// Reads the columns of a balance that begin at a place.
    private static func ledger(
        of account: AccountID, _ row: Row, from first: Int32
    ) -> CustomerLedger {
        CustomerLedger(
            account: account, posted: row.integer(first), held: row.integer(first + 1),
            sequence: row.integer(first + 2), chainHash: row.bytes(first + 3),
            lastMovedAt: row.moment(first + 9),
            activity: AccountActivity(
                openCalls: row.integer(first + 4),
                requests: MinuteCount(
                    minute: row.integer(first + 5), count: row.integer(first + 6)),
                tokens: MinuteCount(
                    minute: row.integer(first + 7), count: row.integer(first + 8))))
    }

    private static func lot(_ row: Row) throws(StoreError) -> Lot {
        Lot(
            id: LotID(rawValue: row.integer(0)), account: AccountID(rawValue: row.integer(1)),
            origin: try row.word(2), order: row.optionalInteger(3).map(OrderID.init(rawValue:)),
            granted: row.integer(4), remaining: row.integer(5), held: row.integer(6),
            expiresAt: row.optionalMoment(7))
    }

    private static func hold(_ row: Row) throws(StoreError) -> Hold {
        Hold(
            id: HoldID(rawValue: row.integer(0)), account: AccountID(rawValue: row.integer(1)),
            requestID: IdempotencyKey(rawValue: row.text(2)), requestHash: row.bytes(3),
            source: try row.word(4), amount: Credits(micro: row.integer(5)),
            state: try row.word(6), settled: Credits(micro: row.integer(7)),
            trialDay: row.optionalInteger(8).map(ShanghaiDay.init(number:)),
            createdAt: row.moment(9), expiresAt: row.moment(10),
            endedAt: row.optionalMoment(11),
            apiKey: row.optionalInteger(12).map(APIKeyID.init(rawValue:)))
    }

    /// The statements; tests look at their query plans.
    enum LedgerText {
        static let ledger = SQL(
            """
            SELECT posted, held, sequence, chain_hash, open_calls, request_minute, request_count,
                token_minute, token_count, last_moved_at
            FROM customer_ledgers WHERE account = $1
            """)
        static let standing = SQL(
            """
            SELECT openid_digest, status, is_white_listed, opened_at, \(StoredTiers.columns),
                posted, held, sequence, chain_hash, open_calls, request_minute, request_count,
                token_minute, token_count, last_moved_at, COALESCE(used, 0), request_hash,
                state, own_keys, deleted_at
            FROM accounts JOIN customer_ledgers ON customer_ledgers.account = accounts.id
                JOIN tiers ON tiers.name = COALESCE(accounts.tier, 'standard')
                LEFT JOIN trial_days ON trial_days.account = accounts.id AND day = $2
                LEFT JOIN holds ON holds.account = accounts.id AND request_id = $3
            WHERE accounts.id = $1
            """)
        static let saveLedger = SQL(
            """
            UPDATE customer_ledgers SET posted = $1, held = $2, sequence = $3, chain_hash = $4,
                open_calls = $5, request_minute = $6, request_count = $7, token_minute = $8,
                token_count = $9, last_moved_at = $10
            WHERE account = $11 AND posted = $12 AND held = $13 AND sequence = $14
                AND chain_hash = $15
            """)

        static let lotColumns =
            "id, account, origin, order_id, granted, remaining, held, expires_at"
        static let spendableLots = SQL(
            """
            SELECT \(lotColumns) FROM lots
            WHERE account = $1 AND remaining > 0 AND remaining > held
                AND (expires_at IS NULL OR expires_at > $2)
            ORDER BY expires_at NULLS LAST, id LIMIT $3
            """)
        static let openLots = SQL(
            """
            SELECT \(lotColumns) FROM lots WHERE account = $1 AND remaining > 0
            ORDER BY expires_at NULLS LAST, id LIMIT $2
            """)
        static let expiredLots = SQL(
            """
            SELECT \(lotColumns) FROM lots
            WHERE remaining > 0 AND expires_at IS NOT NULL AND expires_at <= $1
                AND remaining > held
            ORDER BY expires_at, id LIMIT $2
            """)
        static let lot = SQL("SELECT \(lotColumns) FROM lots WHERE id = $1")
        static let insertLot = SQL(
            "INSERT INTO lots (\(lotColumns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        static let saveLot = SQL(
            """
            UPDATE lots SET remaining = $1, held = $2
            WHERE id = $3 AND remaining = $4 AND held = $5
            """)

        static let holdColumns = """
            id, account, request_id, request_hash, source, amount, state, settled, trial_day,
            created_at, expires_at, ended_at, api_key
            """
        static let hold = SQL("SELECT \(holdColumns) FROM holds WHERE id = $1")
        static let holdOfRequest = SQL(
            "SELECT \(holdColumns) FROM holds WHERE account = $1 AND request_id = $2")
        static let holdsOfAccount = SQL(
            """
            SELECT \(holdColumns) FROM holds WHERE account = $1 AND request_id > $2
            ORDER BY request_id LIMIT $3
            """)
        static let expiredHolds = SQL(
            """
            SELECT \(holdColumns) FROM holds WHERE state = 'held' AND expires_at <= $1
                AND (expires_at, id) > ($2, $3)
            ORDER BY expires_at, id LIMIT $4
            """)
        static let insertHold = SQL(
            """
            INSERT INTO holds (\(holdColumns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """)
        static let insertReservation = SQL(
            "INSERT INTO hold_lots (hold, position, lot, amount) VALUES ($1, $2, $3, $4)")
        static let reservations = SQL(
            """
            SELECT \(lotColumns), amount FROM hold_lots JOIN lots ON lots.id = lot
            WHERE hold = $1 ORDER BY position
            """)
        static let changeSpending = SQL(
            "UPDATE api_keys SET held = held + $1, spent = spent + $2 WHERE id = $3")
        static let endHold = SQL(
            """
            UPDATE holds SET state = $1, settled = $2, ended_at = $3
            WHERE id = $4 AND state = 'held' AND account = $5 AND source = $6 AND amount = $7
            """)
    }
}
