internal import Operations
internal import TollgateKernel

extension StoredJobs {
    func insert(_ run: JobRun) throws(StoreError) {
        try connection.run(
            Text.insert, run.id.rawValue, run.job, run.fencingToken, run.state.rawValue,
            run.startedAt.milliseconds, run.endedAt?.milliseconds, run.itemsDone,
            run.itemsFailed, run.summary)
    }

    func update(_ run: JobRun) throws(StoreError) {
        let changed = try connection.run(
            Text.update, run.state.rawValue, run.endedAt?.milliseconds, run.itemsDone,
            run.itemsFailed, run.summary, run.id.rawValue)
        guard changed == 1 else { throw .conflict("no run \(run.id)") }
    }

    func abandonRuns(
        of job: String, olderThan fencingToken: Int64, at now: Timestamp
    ) throws(StoreError) {
        try connection.run(Text.abandon, now.milliseconds, job, fencingToken)
    }

    func runs(of job: String?, limit: Int) throws(StoreError) -> [JobRun] {
        guard let job else {
            return try connection.all(Text.allRuns, bounded(limit), decode: Self.run)
        }
        return try connection.all(Text.runs, job, bounded(limit), decode: Self.run)
    }

    func insert(_ item: JobItem) throws(StoreError) {
        try connection.run(
            Text.insertItem, item.run.rawValue, item.reference, item.result, item.detail,
            item.at.milliseconds)
    }

    func items(of run: JobRunID, limit: Int) throws(StoreError) -> [JobItem] {
        try connection.all(Text.items, run.rawValue, bounded(limit)) { row in
            JobItem(
                run: run, reference: row.text(0), result: row.text(1), detail: row.text(2),
                at: row.moment(3))
        }
    }

    func removeRuns(before moment: Timestamp, limit: Int) throws(StoreError) -> Int {
        try connection.run(Text.removeItems, moment.milliseconds, bounded(limit))
        return try connection.run(Text.removeRuns, moment.milliseconds, bounded(limit))
    }

    private static func run(_ row: Row) throws(StoreError) -> JobRun {
        JobRun(
            id: JobRunID(rawValue: row.integer(0)), job: row.text(1),
            fencingToken: row.integer(2), state: try row.word(3), startedAt: row.moment(4),
            endedAt: row.optionalMoment(5), itemsDone: row.integer(6),
            itemsFailed: row.integer(7), summary: row.text(8))
    }

    private enum Text {
        static let columns = """
            id, job, fencing_token, state, started_at, ended_at, items_done, items_failed, summary
            """
        static let insert = SQL(
            "INSERT INTO job_runs (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        static let update = SQL(
            """
            UPDATE job_runs SET state = $1, ended_at = $2, items_done = $3, items_failed = $4,
                summary = $5
            WHERE id = $6
            """)
        static let abandon = SQL(
            """
            UPDATE job_runs SET state = 'abandoned', ended_at = $1
            WHERE job = $2 AND state = 'running' AND fencing_token < $3
            """)
        static let allRuns = SQL("SELECT \(columns) FROM job_runs ORDER BY id DESC LIMIT $1")
        static let runs = SQL(
            "SELECT \(columns) FROM job_runs WHERE job = $1 ORDER BY id DESC LIMIT $2")
        static let insertItem = SQL(
            """
            INSERT INTO job_items (run, reference, result, detail, occurred_at)
            VALUES ($1, $2, $3, $4, $5)
            """)
        static let items = SQL(
            """
            SELECT reference, result, detail, occurred_at FROM job_items WHERE run = $1
            ORDER BY id LIMIT $2
            """)

        static let oldRuns = """
            SELECT id FROM job_runs WHERE ended_at < $1 ORDER BY ended_at, id LIMIT $2
            """
        static let removeItems = SQL("DELETE FROM job_items WHERE run IN (\(oldRuns))")
        static let removeRuns = SQL("DELETE FROM job_runs WHERE id IN (\(oldRuns))")
    }
}
