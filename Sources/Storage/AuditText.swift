/// The queries of the audit.
///
/// Each violation is one sentence, without names or openids.
enum AuditText {
    /// C1, C2, C3 and C6 to C9 of the checkers' list; what the walks find for them comes first.
    static let checkers: [LedgerAudit.Checker] = [
        LedgerAudit.Checker(
            name: "C1",
            summary: "the accounts of each unit add up to zero, and no transfer mixes units",
            rows: nil, violations: []),
        LedgerAudit.Checker(
            name: "C2",
            summary: "balances equal re-added transfers, lots, open holds and reservations",
            rows: SQL("SELECT COUNT(*) FROM customer_ledgers"),
            violations: [
                openCalls, lotReservations, holdReservations, keySpending, adjustmentActs,
                deletedAccounts,
            ]),
        LedgerAudit.Checker(
            name: "C3", summary: "no customer account is below zero",
            rows: SQL("SELECT COUNT(*) FROM customer_ledgers"),
            violations: [negativeBalances, negativeLots]),
        LedgerAudit.Checker(
            name: "C6",
            summary: "each hold ended at most once, with what it settled; nothing stands alone",
            rows: nil, violations: []),
        acknowledged, moves,
        LedgerAudit.Checker(
            name: "C9", summary: "every customer's hash chain is whole and ends at their row",
            rows: nil, violations: []),
    ]

    /// How many pages a connection to SQLite keeps; negative in KiB.
    static let pagesKept = SQL("PRAGMA cache_size")

    private static let lotReservations = SQL(
        """
        WITH reserved AS (
            SELECT lot, SUM(hold_lots.amount) AS amount
            FROM holds JOIN hold_lots ON hold_lots.hold = holds.id
            WHERE holds.state = 'held' GROUP BY lot)
        SELECT 'lot ' || id || ': held ' || held || ', reserved ' || COALESCE(amount, 0)
        FROM lots LEFT JOIN reserved ON reserved.lot = lots.id
        WHERE held <> COALESCE(amount, 0)
        """)

    private static let holdReservations = SQL(
        """
        SELECT 'hold ' || holds.id || ': amount ' || holds.amount || ', reserved '
            || COALESCE(SUM(hold_lots.amount), 0)
        FROM holds LEFT JOIN hold_lots ON hold_lots.hold = holds.id
        WHERE holds.state = 'held'
        GROUP BY holds.id, holds.amount, holds.source
        HAVING COALESCE(SUM(hold_lots.amount), 0)
            <> CASE WHEN holds.source = 'credits' THEN holds.amount ELSE 0 END
        """)

    /// The calls that limits count as under way are the holds that have not ended.
    private static let openCalls = SQL(
        """
        WITH open_holds AS (
            SELECT account + 0 AS account, COUNT(*) AS calls FROM holds WHERE state = 'held'
            GROUP BY account + 0)
        SELECT 'account ' || books.account || ': ' || open_calls || ' calls under way, '
            || COALESCE(calls, 0) || ' open holds'
        FROM customer_ledgers AS books
        LEFT JOIN open_holds ON open_holds.account = books.account
        WHERE open_calls <> COALESCE(calls, 0)
        """)

    /// No credits are adjusted without an operator's act of the same key; of transfers from one
    /// number to another.
    static let adjustments = SQL(
        """
        SELECT 'adjustment ' || transfers.id || ' of ' || amount || ' has no operator''s act'
        FROM transfers LEFT JOIN admin_acts ON admin_acts.act_key = transfers.transfer_key
        WHERE transfers.id BETWEEN $1 AND $2
            AND transfers.kind = 'adjustment' AND transfers.unit = 'micro_credits'
            AND (admin_acts.id IS NULL OR admin_acts.kind <> 'credits_adjusted')
        """)

    private static let adjustmentActs = SQL(
        """
        SELECT 'act ' || admin_acts.id || ' adjusted credits without a transfer'
        FROM admin_acts LEFT JOIN transfers ON transfers.transfer_key = admin_acts.act_key
            AND transfers.kind = 'adjustment'
        WHERE admin_acts.kind = 'credits_adjusted' AND transfers.id IS NULL
        """)

    /// What an API key has reserved and spent is what its holds say.
    private static let keySpending = SQL(
        """
        WITH used AS (
            SELECT api_key, SUM(settled) AS spent,
                SUM(CASE WHEN state = 'held' THEN amount ELSE 0 END) AS held
            FROM holds WHERE api_key IS NOT NULL AND source = 'credits' GROUP BY api_key)
        SELECT 'API key ' || id || ': spent ' || api_keys.spent || ', held ' || api_keys.held
            || '; its holds: spent ' || COALESCE(used.spent, 0) || ', held '
            || COALESCE(used.held, 0)
        FROM api_keys LEFT JOIN used ON used.api_key = api_keys.id
        WHERE api_keys.spent <> COALESCE(used.spent, 0)
            OR api_keys.held <> COALESCE(used.held, 0)
            OR api_keys.spent + api_keys.held > api_keys.spend_cap
        """)

    private static let negativeBalances = SQL(
        """
        SELECT 'account ' || account || ': posted ' || posted || ', held ' || held
        FROM customer_ledgers WHERE posted < 0 OR held < 0 OR held > posted
        """)

    private static let negativeLots = SQL(
        """
        SELECT 'lot ' || id || ': granted ' || granted || ', remaining ' || remaining || ', held '
            || held
        FROM lots WHERE held < 0 OR remaining < held OR granted < remaining
        """)

    /// The thirteen base32 characters of an identifier, as the kernel prints it.
    static func crockford(_ column: String) -> String {
        (0..<13).map { place in
            let digit = "((\(column) >> \(60 - 5 * place)) & 31)"
            // PostgreSQL cuts texts at 32-bit places only.
            return "SUBSTR('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST(\(digit) AS INTEGER) + 1, 1)"
        }.joined(separator: " || ")
    }
}
