extension Schema {
    static let apiKeys = Migration(
        number: 8, name: "API keys",
        steps: [
            .statement(
                """
                CREATE TABLE api_keys (
                    id {key},
                    account {integer} NOT NULL REFERENCES accounts (id),
                    digest {bytes} NOT NULL CHECK (length(digest) = 32),
                    name TEXT NOT NULL,
                    models TEXT NOT NULL,
                    spend_cap {integer} CHECK (spend_cap > 0),
                    requests_per_minute {integer} CHECK (requests_per_minute > 0),
                    created_at {integer} NOT NULL,
                    expires_at {integer},
                    revoked_at {integer},
                    spent {integer} NOT NULL,
                    held {integer} NOT NULL,
                    last_used_at {integer},
                    minute {integer} NOT NULL,
                    minute_requests {integer} NOT NULL,
                    CONSTRAINT api_keys_never_above_their_cap CHECK (
                        spent >= 0 AND held >= 0
                        AND (spend_cap IS NULL OR spent + held <= spend_cap))
                ) {end}
                """),
            .statement("CREATE INDEX api_keys_of_account ON api_keys (account, id)"),
            .refuse(
                .update, of: "api_keys", named: "api_keys_stay_revoked",
                when: """
                    OLD.revoked_at IS NOT NULL
                    AND (NEW.revoked_at IS NULL OR NEW.revoked_at <> OLD.revoked_at)
                    """),
            .statement(
                "ALTER TABLE holds ADD COLUMN api_key {integer} REFERENCES api_keys (id)"),
        ])
}
