internal import Accounts
internal import TollgateKernel

extension StoredLedger {
    func transferExists(key: String) throws(StoreError) -> Bool {
        try connection.first(Text.exists, key) { _ in true } ?? false
    }

    func transferAmount(key: String) throws(StoreError) -> Int64? {
        try connection.first(Text.amount, key) { $0.integer(0) }
    }

    func insert(_ transfer: Transfer, link: ChainLink?) throws(StoreError) {
        let sides = (transfer.from.column, transfer.to.column)
        try connection.run(
            Text.insert, transfer.id.rawValue, transfer.key, transfer.kind.rawValue,
            transfer.unit.rawValue, sides.0.name, sides.1.name,
            sides.0.customer ?? sides.1.customer, transfer.amount, transfer.reference,
            transfer.at.milliseconds, link?.sequence, link?.hash, link?.postedAfter)
    }

    func systemBalances(in unit: LedgerUnit) throws(StoreError) -> [SystemAccount: Int64] {
        let rows = try connection.all(Text.systemBalances, unit.rawValue) {
            row throws(StoreError) in
            (account: try row.word(0, as: SystemAccount.self), total: row.integer(1))
        }
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.account, $0.total) })
    }

    func entries(
        of account: AccountID, after low: Int64, before high: Int64?, limit: Int
    ) throws(StoreError) -> [LedgerEntry] {
        try connection.all(
            Text.entries, account.rawValue, low, high ?? .max, bounded(limit), decode: Self.entry)
    }

    func history(
        after account: AccountID?, sequence: Int64, limit: Int
    ) throws(StoreError) -> [LedgerEntry] {
        try connection.all(
            Text.history, account?.rawValue ?? .min, sequence, bounded(limit), decode: Self.entry)
    }

    private static func entry(_ row: Row) throws(StoreError) -> LedgerEntry {
        let customer = row.optionalInteger(6)
        let transfer = Transfer(
            id: TransferID(rawValue: row.integer(0)), key: row.text(1), kind: try row.word(2),
            unit: try row.word(3), from: try LedgerAccount(stored: row.text(4), customer),
            to: try LedgerAccount(stored: row.text(5), customer), amount: row.integer(7),
            reference: row.text(8), at: row.moment(9))
        return LedgerEntry(
            transfer: transfer,
            link: ChainLink(
                sequence: row.integer(10), hash: row.bytes(11), postedAfter: row.integer(12)))
    }

    private enum Text {
        static let columns = """
            id, transfer_key, kind, unit, from_account, to_account, customer, amount, reference,
            occurred_at, sequence, chain_hash, posted_after
            """
        static let exists = SQL("SELECT 1 FROM transfers WHERE transfer_key = $1")
        static let amount = SQL("SELECT amount FROM transfers WHERE transfer_key = $1")
        static let insert = SQL(
            """
            INSERT INTO transfers (\(columns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """)
        static let systemBalances = SQL(
            """
            SELECT account, CAST(SUM(part) AS BIGINT) FROM (
                SELECT from_account AS account, -amount AS part FROM transfers WHERE unit = $1
                UNION ALL SELECT to_account, amount FROM transfers WHERE unit = $1) AS parts
            WHERE account <> 'customer' GROUP BY account
            """)
        static let history = SQL(
            """
            SELECT \(columns) FROM transfers WHERE (customer, sequence) > ($1, $2)
            ORDER BY customer, sequence LIMIT $3
            """)
        static let entries = SQL(
            """
            SELECT \(columns) FROM transfers
            WHERE customer = $1 AND sequence > $2 AND sequence < $3
            ORDER BY sequence DESC LIMIT $4
            """)
    }
}

extension LedgerAccount {
    /// What the columns of a side hold: `customer`, or the name of one of ours.
    fileprivate var column: (name: String, customer: Int64?) {
        switch self {
        case .customer(let account): ("customer", account.rawValue)
        case .system(let account): (account.rawValue, nil)
        }
    }

    /// Reads a side.
    fileprivate init(stored name: String, _ customer: Int64?) throws(StoreError) {
        if name == "customer", let customer {
            self = .customer(AccountID(rawValue: customer))
        } else if let account = SystemAccount(rawValue: name) {
            self = .system(account)
        } else {
            throw .corrupt("a ledger account cannot be '\(name)'")
        }
    }
}
