extension Schema {
    static let accounts = Migration(
        number: 1, name: "accounts, permissions, free trials",
        steps: [
            .statement(
                """
                CREATE TABLE accounts (
                    id {key},
                    openid_digest {bytes} NOT NULL UNIQUE CHECK (length(openid_digest) = 32),
                    openid TEXT NOT NULL,
                    status TEXT NOT NULL CHECK (status IN ('active', 'frozen')),
                    is_white_listed {integer} NOT NULL CHECK (is_white_listed IN (0, 1)),
                    opened_at {integer} NOT NULL
                ) {end}
                """),
            .statement(
                """
                CREATE TABLE model_permissions (
                    account {integer} NOT NULL REFERENCES accounts (id),
                    model TEXT NOT NULL,
                    PRIMARY KEY (account, model)
                ) {end_clustered}
                """),
            .statement(
                """
                CREATE TABLE trial_days (
                    account {integer} NOT NULL REFERENCES accounts (id),
                    day {integer} NOT NULL,
                    used {integer} NOT NULL,
                    PRIMARY KEY (account, day),
                    CONSTRAINT trial_days_never_below_zero CHECK (used >= 0)
                ) {end_clustered}
                """),
        ])
}
