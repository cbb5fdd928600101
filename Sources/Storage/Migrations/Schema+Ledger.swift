extension Schema {
    static let ledger = Migration(
        number: 3, name: "balances, lots, holds, transfers",
        steps: [balances, lots, openLots, expiringLots, holds, openHolds]
            + [
                .refuse(
                    .update, of: "holds", named: "holds_end_once", when: "OLD.state <> 'held'"),
                reservations, transfers,
            ] + Migration.insertOnly("transfers"))

    private static let balances = Migration.Step.statement(
        """
        CREATE TABLE customer_ledgers (
            account {key} REFERENCES accounts (id),
            posted {integer} NOT NULL,
            held {integer} NOT NULL,
            sequence {integer} NOT NULL CHECK (sequence >= 0),
            chain_hash {bytes} NOT NULL CHECK (length(chain_hash) = 32),
            CONSTRAINT customer_ledgers_never_overdrawn CHECK (held >= 0 AND posted >= held)
        ) {end}
        """)

    private static let lots = Migration.Step.statement(
        """
        CREATE TABLE lots (
            id {key},
            account {integer} NOT NULL REFERENCES accounts (id),
            origin TEXT NOT NULL CHECK (origin IN ('welcome', 'order', 'adjustment')),
            order_id {integer} REFERENCES orders (id),
            granted {integer} NOT NULL CHECK (granted > 0),
            remaining {integer} NOT NULL,
            held {integer} NOT NULL,
            expires_at {integer},
            CONSTRAINT lots_hold_what_they_have
                CHECK (held >= 0 AND remaining >= held AND granted >= remaining)
        ) {end}
        """)

    // Both indexes leave `held` out, so that a hold touches no index of the lots.
    private static let openLots = Migration.Step.statement(
        "CREATE INDEX lots_open ON lots (account, expires_at, id) WHERE remaining > 0")
    private static let expiringLots = Migration.Step.statement(
        """
        CREATE INDEX lots_expiring ON lots (expires_at, id)
        WHERE remaining > 0 AND expires_at IS NOT NULL
        """)

    private static let holds = Migration.Step.statement(
        """
        CREATE TABLE holds (
            id {key},
            account {integer} NOT NULL REFERENCES accounts (id),
            request_id TEXT NOT NULL,
            request_hash {bytes} NOT NULL CHECK (length(request_hash) = 32),
            source TEXT NOT NULL CHECK (source IN ('credits', 'trial', 'promotion')),
            amount {integer} NOT NULL CHECK (amount >= 0),
            state TEXT NOT NULL CHECK (state IN ('held', 'settled', 'released', 'expired')),
            settled {integer} NOT NULL,
            trial_day {integer},
            created_at {integer} NOT NULL,
            expires_at {integer} NOT NULL,
            ended_at {integer},
            CONSTRAINT holds_once_for_a_request UNIQUE (account, request_id),
            CONSTRAINT holds_charge_what_they_reserved
                CHECK (settled >= 0 AND settled <= amount AND (state = 'settled' OR settled = 0)),
            CONSTRAINT holds_end_when_they_leave_held CHECK ((state = 'held') = (ended_at IS NULL)),
            CONSTRAINT holds_of_trials_have_a_day
                CHECK ((source = 'trial') = (trial_day IS NOT NULL))
        ) {end}
        """)

    private static let openHolds = Migration.Step.statement(
        "CREATE INDEX holds_open ON holds (expires_at, id) WHERE state = 'held'")

    private static let reservations = Migration.Step.statement(
        """
        CREATE TABLE hold_lots (
            hold {integer} NOT NULL REFERENCES holds (id),
            position {integer} NOT NULL,
            lot {integer} NOT NULL REFERENCES lots (id),
            amount {integer} NOT NULL CHECK (amount > 0),
            PRIMARY KEY (hold, position),
            CONSTRAINT hold_lots_name_a_lot_once UNIQUE (hold, lot)
        ) {end_clustered}
        """)

    private static let transfers = Migration.Step.statement(
        """
        CREATE TABLE transfers (
            id {key},
            transfer_key TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('welcome', 'payment', 'purchase', 'usage',
                'promotion', 'overrun', 'expiry', 'adjustment', 'refund')),
            unit TEXT NOT NULL,
            from_account TEXT NOT NULL,
            to_account TEXT NOT NULL,
            customer {integer} REFERENCES accounts (id),
            amount {integer} NOT NULL CHECK (amount > 0),
            reference TEXT NOT NULL,
            occurred_at {integer} NOT NULL,
            sequence {integer} CHECK (sequence > 0),
            chain_hash {bytes} CHECK (length(chain_hash) = 32),
            posted_after {integer} CHECK (posted_after >= 0),
            CONSTRAINT transfers_never_mix_units CHECK (
                from_account <> to_account AND (
                    unit = 'fen'
                    AND from_account IN ('wechat_clearing', 'sales', 'refunds')
                    AND to_account IN ('wechat_clearing', 'sales', 'refunds')
                    OR unit = 'micro_credits'
                    AND from_account IN ('customer', 'issued', 'revenue', 'promotion', 'expired',
                        'written_off')
                    AND to_account IN ('customer', 'issued', 'revenue', 'promotion', 'expired',
                        'written_off'))),
            CONSTRAINT transfers_name_their_customer CHECK (
                (customer IS NOT NULL) = (from_account = 'customer' OR to_account = 'customer')),
            CONSTRAINT transfers_of_customers_are_chained CHECK (
                (customer IS NULL) = (sequence IS NULL)
                AND (customer IS NULL) = (chain_hash IS NULL)
                AND (customer IS NULL) = (posted_after IS NULL)),
            CONSTRAINT transfers_have_one_place UNIQUE (customer, sequence)
        ) {end}
        """)
}
