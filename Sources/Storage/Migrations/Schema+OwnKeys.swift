extension Schema {
    static let ownKeys = Migration(
        number: 11, name: "people's own keys at providers",
        steps: [
            .statement(
                """
                CREATE TABLE own_keys (
                    account {integer} NOT NULL REFERENCES accounts (id),
                    channel TEXT NOT NULL REFERENCES channels (channel_key),
                    sealed_api_key {bytes} NOT NULL,
                    hint TEXT NOT NULL,
                    created_at {integer} NOT NULL,
                    PRIMARY KEY (account, channel)
                ) {end_clustered}
                """),
            // How many, where a chat reads it anyway: who has none pays nothing for the question.
            .statement(
                """
                ALTER TABLE accounts ADD COLUMN own_keys {integer} NOT NULL DEFAULT 0
                    CHECK (own_keys >= 0)
                """),
            .widen(
                "holds", column: "source", was: sources,
                becomes: "(\(sources) OR source = 'own_key' AND amount = 0)"),
            .widen(
                "usage_records", column: "source", was: sources,
                becomes: "(\(sources) OR source = 'own_key' AND charged = 0)"),
        ])

    private static let sources = "(source = 'credits' OR source = 'trial' OR source = 'promotion')"
}
