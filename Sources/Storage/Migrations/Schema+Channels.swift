/// Channels that operators stock and take out of use.
extension Schema {
    static let channelsInUse = Migration(
        number: 24, name: "channels out of use, ends of keys",
        steps: [
            // Not named as the offers' column is: who joins both names neither table.
            .statement(
                """
                ALTER TABLE channels ADD COLUMN is_in_use {integer} NOT NULL DEFAULT 1
                    CHECK (is_in_use IN (0, 1))
                """),
            .statement("ALTER TABLE channels ADD COLUMN key_hint TEXT NOT NULL DEFAULT ''"),
            // A channel's address stays as long as somebody's own key goes there.
            .statement("CREATE INDEX own_keys_by_channel ON own_keys (channel)"),
        ])
}
