internal import Operations
internal import TollgateKernel

/// What operators did.
struct StoredAdminLog: AdminLogRepository {
    let connection: StoreConnection

    func insert(_ act: AdminAct) throws(StoreError) {
        try connection.run(
            Text.insert, act.id.rawValue, act.key, act.kind.rawValue, act.by.credential,
            act.by.person, act.by.reason, act.by.correlationID, act.object, act.before, act.after,
            act.at.milliseconds)
    }

    func adminAct(key: String) throws(StoreError) -> AdminAct? {
        try connection.first(Text.byKey, key, decode: Self.act)
    }

    func adminActs(before id: AdminActID?, limit: Int) throws(StoreError) -> [AdminAct] {
        try connection.all(
            Text.page, id?.rawValue ?? .max, bounded(limit), decode: Self.act)
    }

    private static func act(_ row: Row) throws(StoreError) -> AdminAct {
        AdminAct(
            id: AdminActID(rawValue: row.integer(0)), key: row.text(1), kind: try row.word(2),
            by: ActedBy(
                credential: row.text(3), person: row.text(4), reason: row.text(5),
                correlationID: row.integer(6)),
            object: row.text(7), before: row.text(8), after: row.text(9), at: row.moment(10))
    }

    private enum Text {
        static let columns = """
            id, act_key, kind, credential, person, reason, correlation_id, object, before, after,
            occurred_at
            """
        static let insert = SQL(
            """
            INSERT INTO admin_acts (\(columns))
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """)
        static let byKey = SQL("SELECT \(columns) FROM admin_acts WHERE act_key = $1")
        static let page = SQL(
            "SELECT \(columns) FROM admin_acts WHERE id < $1 ORDER BY id DESC LIMIT $2")
    }
}
