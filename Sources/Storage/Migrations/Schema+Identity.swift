extension Schema {
    static let identity = Migration(
        number: 4, name: "login codes, login sessions, pushes",
        steps: [
            .statement(
                """
                CREATE TABLE login_codes (
                    digest {bytes} NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
                    openid TEXT NOT NULL UNIQUE,
                    expires_at {integer} NOT NULL
                ) {end}
                """),
            .statement("CREATE INDEX login_codes_expiring ON login_codes (expires_at)"),
            .statement(
                """
                CREATE TABLE wrong_guesses (
                    minute {integer} NOT NULL,
                    source {bytes} NOT NULL,
                    guesses {integer} NOT NULL CHECK (guesses > 0),
                    PRIMARY KEY (minute, source)
                ) {end_clustered}
                """),
            .statement(
                """
                CREATE TABLE login_sessions (
                    id {key},
                    digest {bytes} NOT NULL UNIQUE CHECK (length(digest) = 32),
                    account {integer} NOT NULL REFERENCES accounts (id),
                    device TEXT NOT NULL,
                    created_at {integer} NOT NULL,
                    expires_at {integer} NOT NULL
                ) {end}
                """),
            .statement("CREATE INDEX login_sessions_of_account ON login_sessions (account, id)"),
            .statement("CREATE INDEX login_sessions_expiring ON login_sessions (expires_at)"),
            .statement(
                """
                CREATE TABLE received_pushes (
                    push_key TEXT NOT NULL PRIMARY KEY,
                    answer TEXT NOT NULL,
                    code_attempt {integer} NOT NULL CHECK (code_attempt >= 0),
                    received_at {integer} NOT NULL
                ) {end}
                """),
            .statement("CREATE INDEX received_pushes_by_age ON received_pushes (received_at)"),
            .statement(
                """
                CREATE TABLE followers (
                    openid TEXT NOT NULL PRIMARY KEY,
                    is_following {integer} NOT NULL CHECK (is_following IN (0, 1)),
                    changed_at {integer} NOT NULL
                ) {end}
                """),
        ])
}
