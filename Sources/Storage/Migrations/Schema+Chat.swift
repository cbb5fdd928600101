extension Schema {
    static let chat = Migration(
        number: 5, name: "models, channels, words, usage",
        steps: [
            models, channels, offers,
            .statement(
                """
                CREATE TABLE sensitive_words (
                    word TEXT NOT NULL PRIMARY KEY,
                    action TEXT NOT NULL CHECK (action IN ('refuse', 'mask'))
                ) {end}
                """),
            usage,
            .statement("CREATE INDEX usage_by_end ON usage_records (ended_at)"),
            .statement(
                """
                CREATE TABLE refusals (
                    id {serial},
                    account {integer} REFERENCES accounts (id),
                    model TEXT NOT NULL,
                    code TEXT NOT NULL,
                    occurred_at {integer} NOT NULL
                ) {end}
                """),
            .statement("CREATE INDEX refusals_by_time ON refusals (occurred_at)"),
        ])

    private static let models = Migration.Step.statement(
        """
        CREATE TABLE models (
            name TEXT NOT NULL PRIMARY KEY,
            summary TEXT NOT NULL,
            per_call {integer} NOT NULL CHECK (per_call >= 0),
            per_thousand_prompt_tokens {integer} NOT NULL
                CHECK (per_thousand_prompt_tokens >= 0),
            per_thousand_completion_tokens {integer} NOT NULL
                CHECK (per_thousand_completion_tokens >= 0),
            max_tokens {integer} NOT NULL CHECK (max_tokens > 0),
            is_open_to_all {integer} NOT NULL CHECK (is_open_to_all IN (0, 1)),
            is_enabled {integer} NOT NULL CHECK (is_enabled IN (0, 1)),
            position {integer} NOT NULL
        ) {end}
        """)

    private static let channels = Migration.Step.statement(
        """
        CREATE TABLE channels (
            channel_key TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            base_url TEXT NOT NULL,
            sealed_api_key {bytes} NOT NULL
        ) {end}
        """)

    private static let offers = Migration.Step.statement(
        """
        CREATE TABLE channel_models (
            model TEXT NOT NULL REFERENCES models (name),
            channel TEXT NOT NULL REFERENCES channels (channel_key),
            upstream_model TEXT NOT NULL,
            priority {integer} NOT NULL,
            weight {integer} NOT NULL CHECK (weight >= 1),
            is_enabled {integer} NOT NULL CHECK (is_enabled IN (0, 1)),
            PRIMARY KEY (model, channel)
        ) {end_clustered}
        """)

    private static let usage = Migration.Step.statement(
        """
        CREATE TABLE usage_records (
            hold {key} REFERENCES holds (id),
            account {integer} NOT NULL REFERENCES accounts (id),
            model TEXT NOT NULL,
            channel TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('credits', 'trial', 'promotion')),
            prompt_tokens {integer} NOT NULL CHECK (prompt_tokens >= 0),
            completion_tokens {integer} NOT NULL CHECK (completion_tokens >= 0),
            is_estimated {integer} NOT NULL CHECK (is_estimated IN (0, 1)),
            charged {integer} NOT NULL CHECK (charged >= 0),
            outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'cancelled', 'truncated')),
            started_at {integer} NOT NULL,
            first_token_at {integer},
            ended_at {integer} NOT NULL
        ) {end}
        """)
}
