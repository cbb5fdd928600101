internal import Operations
internal import TollgateKernel

/// Schedules, leases and checkpoints; runs are in `StoredJobs+Runs.swift`.
struct StoredJobs: JobRepository {
    let connection: StoreConnection

    func jobs() throws(StoreError) -> [JobRecord] {
        try connection.all(Text.jobs, bounded(.max), decode: Self.job)
    }

    func job(_ name: String) throws(StoreError) -> JobRecord? {
        try connection.first(Text.job, name, decode: Self.job)
    }

    func insertIfNew(_ job: JobRecord) throws(StoreError) {
        try connection.run(
            Text.insert, job.name, job.nextDueAt.milliseconds, job.fencingToken, job.holder,
            job.heartbeat)
    }

    func save(_ new: JobRecord, replacing old: JobRecord) throws(StoreError) {
        let changed = try connection.run(
            Text.save, new.nextDueAt.milliseconds, new.fencingToken, new.holder, new.heartbeat,
            old.name, old.fencingToken, old.holder, old.heartbeat)
        guard changed == 1 else { throw .conflict("the lease of \(old.name) moved on") }
    }

    func checkFence(job: String, fencingToken: Int64) throws(StoreError) {
        let current = try connection.first(Text.fence, job) { $0.integer(0) }
        guard current == fencingToken else {
            throw .fenced("the lease of \(job) was taken over")
        }
    }

    func checkpoint(of job: String) throws(StoreError) -> Int64? {
        try connection.first(Text.checkpoint, job) { $0.integer(0) }
    }

    func saveCheckpoint(_ value: Int64, of job: String) throws(StoreError) {
        try connection.run(Text.saveCheckpoint, job, value)
    }

    private static func job(_ row: Row) throws(StoreError) -> JobRecord {
        JobRecord(
            name: row.text(0), nextDueAt: row.moment(1), fencingToken: row.integer(2),
            holder: row.text(3), heartbeat: row.integer(4))
    }

    private enum Text {
        static let columns = "name, next_due_at, fencing_token, holder, heartbeat"
        static let jobs = SQL("SELECT \(columns) FROM jobs ORDER BY name LIMIT $1")
        static let job = SQL("SELECT \(columns) FROM jobs WHERE name = $1")
        static let insert = SQL(
            """
            INSERT INTO jobs (\(columns)) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO NOTHING
            """)
        static let save = SQL(
            """
            UPDATE jobs SET next_due_at = $1, fencing_token = $2, holder = $3, heartbeat = $4
            WHERE name = $5 AND fencing_token = $6 AND holder = $7 AND heartbeat = $8
            """)
        static let fence = SQL("SELECT fencing_token FROM jobs WHERE name = $1")
        static let checkpoint = SQL("SELECT position FROM job_checkpoints WHERE job = $1")
        static let saveCheckpoint = SQL(
            """
            INSERT INTO job_checkpoints (job, position) VALUES ($1, $2)
            ON CONFLICT (job) DO UPDATE SET position = excluded.position
            """)
    }
}
