extension Schema {
    static let loginAttempts = Migration(
        number: 10, name: "login attempts by QR code",
        steps: [
            .statement(
                """
                CREATE TABLE login_attempts (
                    scene TEXT NOT NULL PRIMARY KEY,
                    secret_digest {bytes} NOT NULL UNIQUE CHECK (length(secret_digest) = 32),
                    source {bytes} NOT NULL CHECK (length(source) = 32),
                    device TEXT NOT NULL,
                    created_at {integer} NOT NULL,
                    expires_at {integer} NOT NULL,
                    state TEXT NOT NULL CHECK (
                        state IN ('pending', 'scanned', 'confirmed', 'redeemed', 'refused')),
                    openid TEXT,
                    number {integer},
                    refusal TEXT,
                    CONSTRAINT login_attempts_know_who CHECK (
                        (state IN ('scanned', 'confirmed', 'redeemed')) = (openid IS NOT NULL)),
                    CHECK ((state = 'scanned') = (number IS NOT NULL)),
                    CHECK ((state = 'refused') = (refusal IS NOT NULL))
                ) {end}
                """),
            .statement("CREATE INDEX login_attempts_expiring ON login_attempts (expires_at)"),
            .statement(
                "CREATE INDEX login_attempts_of_source ON login_attempts (source, expires_at)"),
            // The answer to one number can mean one attempt only.
            .statement(
                """
                CREATE UNIQUE INDEX login_attempts_open ON login_attempts (openid)
                WHERE state IN ('scanned', 'confirmed')
                """),
            .refuse(
                .update, of: "login_attempts", named: "login_attempts_end_once",
                when: "OLD.state IN ('redeemed', 'refused')"),
        ])
}
