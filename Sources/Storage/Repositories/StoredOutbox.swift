internal import Operations
internal import TollgateKernel

/// Messages to people.
struct StoredOutbox: OutboxRepository {
    let connection: StoreConnection

    func insert(_ message: OutboxMessage) throws(StoreError) {
        // Sorted, so that equal values make equal rows.
        let told = message.values.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        try connection.run(
            Text.insert, message.id.rawValue, message.kind.rawValue, message.account.rawValue,
            TextList.encode(told), message.state.rawValue, message.attempts,
            message.nextAttemptAt.milliseconds, message.createdAt.milliseconds)
    }

    func dueMessages(at now: Timestamp, limit: Int) throws(StoreError) -> [OutboxMessage] {
        try connection.all(
            Text.due, now.milliseconds, bounded(limit), decode: Self.message)
    }

    func messages(
        of account: AccountID, after id: OutboxID?, limit: Int
    ) throws(StoreError) -> [OutboxMessage] {
        try connection.all(
            Text.ofAccount, account.rawValue, id?.rawValue ?? 0, bounded(limit),
            decode: Self.message)
    }

    private static func message(_ row: Row) throws(StoreError) -> OutboxMessage {
        OutboxMessage(
            id: OutboxID(rawValue: row.integer(0)), kind: try row.word(1),
            account: AccountID(rawValue: row.integer(2)), values: try values(row.text(3)),
            state: try row.word(4), attempts: row.integer(5), nextAttemptAt: row.moment(6),
            createdAt: row.moment(7))
    }

    func update(_ message: OutboxMessage) throws(StoreError) {
        let changed = try connection.run(
            Text.update, message.state.rawValue, message.attempts,
            message.nextAttemptAt.milliseconds, message.id.rawValue)
        guard changed == 1 else { throw .conflict("message \(message.id) does not wait") }
    }

    private static func values(_ stored: String) throws(StoreError) -> [String: String] {
        let told = TextList.decode(stored)
        guard told.count.isMultiple(of: 2) else { throw .corrupt("a value without a name") }
        var values: [String: String] = [:]
        for index in stride(from: 0, to: told.count, by: 2) {
            values[told[index]] = told[index + 1]
        }
        return values
    }

    private enum Text {
        static let insert = SQL(
            """
            INSERT INTO outbox_messages
                (id, kind, account, told, state, attempts, next_attempt_at, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """)
        static let due = SQL(
            """
            SELECT id, kind, account, told, state, attempts, next_attempt_at, created_at
            FROM outbox_messages WHERE state = 'waiting' AND next_attempt_at <= $1
            ORDER BY next_attempt_at, id LIMIT $2
            """)
        static let ofAccount = SQL(
            """
            SELECT id, kind, account, told, state, attempts, next_attempt_at, created_at
            FROM outbox_messages WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3
            """)
        static let update = SQL(
            """
            UPDATE outbox_messages SET state = $1, attempts = $2, next_attempt_at = $3
            WHERE id = $4 AND state = 'waiting'
            """)
    }
}
