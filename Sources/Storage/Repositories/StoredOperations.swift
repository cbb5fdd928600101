internal import Operations
internal import TollgateKernel

/// Incidents; the audit is in `LedgerAudit.swift`.
struct StoredOperations: OperationsRepository {
    let connection: StoreConnection

    func insert(_ incident: Incident) throws(StoreError) -> Bool {
        let added = try connection.run(
            Text.insert, incident.key, incident.kind.rawValue, incident.reference,
            incident.summary, incident.at.milliseconds)
        return added == 1
    }

    func incidents(limit: Int) throws(StoreError) -> [Incident] {
        try connection.all(Text.incidents, bounded(limit)) { row throws(StoreError) in
            Incident(
                key: row.text(0), kind: try row.word(1), reference: row.text(2),
                summary: row.text(3), at: row.moment(4))
        }
    }

    func audit() throws(StoreError) -> [AuditFinding] {
        try LedgerAudit(connection: connection).findings()
    }

    private enum Text {
        static let insert = SQL(
            """
            INSERT INTO incidents (incident_key, kind, reference, summary, occurred_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incident_key) DO NOTHING
            """)
        static let incidents = SQL(
            """
            SELECT incident_key, kind, reference, summary, occurred_at FROM incidents
            ORDER BY occurred_at DESC, incident_key DESC LIMIT $1
            """)
    }
}
