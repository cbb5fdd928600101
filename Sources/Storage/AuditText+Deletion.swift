/// The audit's queries about people who have left.
extension AuditText {
    /// A deleted account has nothing: no credits, nobody who could use it, no trace of its person.
    static let deletedAccounts = SQL(
        """
        SELECT 'account ' || accounts.id || ' is deleted; posted ' || posted || ', held ' || held
            || ', sessions ' || sessions || ', living keys ' || keys || ', own keys ' || own
        FROM (
            SELECT accounts.id AS id, openid, posted, held,
                (SELECT COUNT(*) FROM login_sessions WHERE account = accounts.id) AS sessions,
                (SELECT COUNT(*) FROM api_keys
                    WHERE account = accounts.id AND revoked_at IS NULL) AS keys,
                (SELECT COUNT(*) FROM own_keys WHERE account = accounts.id) AS own
            FROM accounts JOIN customer_ledgers ON customer_ledgers.account = accounts.id
            WHERE status = 'deleted') AS accounts
        WHERE posted <> 0 OR held <> 0 OR sessions <> 0 OR keys <> 0 OR own <> 0 OR openid <> ''
        """)

    /// Credits are forfeited by who leaves, and by nobody else; of transfers from one number to
    /// another.
    static let forfeits = SQL(
        """
        SELECT 'forfeit ' || transfers.id || ' of ' || amount || ' is of a living account'
        FROM transfers JOIN accounts ON accounts.id = transfers.customer
        WHERE transfers.id BETWEEN $1 AND $2
            AND transfers.kind = 'forfeit' AND accounts.deleted_at IS NULL
        """)
}
