/// What people see of their login sessions.
extension Schema {
    static let sessionUses = Migration(
        number: 13, name: "when a login session was last used",
        steps: [
            .statement(
                """
                ALTER TABLE login_sessions ADD COLUMN last_used_at {integer} NOT NULL DEFAULT 0
                """),
            // Nobody wrote it down before; that it began is the last that is known.
            .statement("UPDATE login_sessions SET last_used_at = created_at"),
        ])
}
