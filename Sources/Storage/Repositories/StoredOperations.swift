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

    func fact(_ name: StoreFact) throws(StoreError) -> String? {
        try connection.first(Text.fact, name.rawValue) { $0.text(0) }
    }

    func insert(_ fact: StoreFact, _ content: String) throws(StoreError) -> Bool {
        try connection.run(Text.insertFact, fact.rawValue, content) == 1
    }

    func auditBooks() throws(StoreError) -> [AuditFinding] {
        try LedgerAudit(connection: connection).bookFindings()
    }

    func engineParts() throws(StoreError) -> [EnginePart] {
        try EngineAudit(connection: connection).parts()
    }

    func auditEngine(_ part: EnginePart) throws(StoreError) -> AuditFinding {
        try LedgerAudit(connection: connection).engineFinding(part)
    }

    private enum Text {
        static let fact = SQL("SELECT content FROM store_meta WHERE name = $1")
        static let insertFact = SQL(
            """
            INSERT INTO store_meta (name, content) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
            """)
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
