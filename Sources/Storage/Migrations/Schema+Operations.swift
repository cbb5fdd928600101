extension Schema {
    static let operations = Migration(
        number: 6, name: "outbox, jobs, incidents, rollups",
        steps: [
            outbox,
            .statement(
                """
                CREATE INDEX outbox_waiting ON outbox_messages (next_attempt_at, id)
                WHERE state = 'waiting'
                """),
            jobs,
            .refuse(
                .update, of: "jobs", named: "jobs_fencing_numbers_never_fall",
                when: "NEW.fencing_token < OLD.fencing_token"),
            runs,
            .statement("CREATE INDEX job_runs_of_job ON job_runs (job, id)"),
            .statement("CREATE INDEX job_runs_by_end ON job_runs (ended_at, id)"),
            items,
            .statement("CREATE INDEX job_items_of_run ON job_items (run, id)"),
            .statement(
                """
                CREATE TABLE job_checkpoints (
                    job TEXT NOT NULL PRIMARY KEY,
                    position {integer} NOT NULL
                ) {end}
                """),
            incidents,
            .statement("CREATE INDEX incidents_by_time ON incidents (occurred_at, incident_key)"),
            .statement(
                """
                CREATE TABLE rollups (
                    resolution TEXT NOT NULL CHECK (resolution IN ('hour', 'day')),
                    period_start {integer} NOT NULL,
                    metric TEXT NOT NULL,
                    dimension TEXT NOT NULL,
                    figure {integer} NOT NULL,
                    PRIMARY KEY (resolution, period_start, metric, dimension)
                ) {end_clustered}
                """),
        ])

    private static let outbox = Migration.Step.statement(
        """
        CREATE TABLE outbox_messages (
            id {key},
            kind TEXT NOT NULL,
            account {integer} NOT NULL REFERENCES accounts (id),
            told TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
            attempts {integer} NOT NULL CHECK (attempts >= 0),
            next_attempt_at {integer} NOT NULL,
            created_at {integer} NOT NULL
        ) {end}
        """)

    private static let jobs = Migration.Step.statement(
        """
        CREATE TABLE jobs (
            name TEXT NOT NULL PRIMARY KEY,
            next_due_at {integer} NOT NULL,
            fencing_token {integer} NOT NULL CHECK (fencing_token >= 0),
            holder TEXT NOT NULL,
            heartbeat {integer} NOT NULL
        ) {end}
        """)

    private static let runs = Migration.Step.statement(
        """
        CREATE TABLE job_runs (
            id {key},
            job TEXT NOT NULL,
            fencing_token {integer} NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'abandoned')),
            started_at {integer} NOT NULL,
            ended_at {integer},
            items_done {integer} NOT NULL CHECK (items_done >= 0),
            items_failed {integer} NOT NULL CHECK (items_failed >= 0),
            summary TEXT NOT NULL,
            CONSTRAINT job_runs_end_when_they_stop CHECK ((state = 'running') = (ended_at IS NULL))
        ) {end}
        """)

    private static let items = Migration.Step.statement(
        """
        CREATE TABLE job_items (
            id {serial},
            run {integer} NOT NULL REFERENCES job_runs (id),
            reference TEXT NOT NULL,
            result TEXT NOT NULL,
            detail TEXT NOT NULL,
            occurred_at {integer} NOT NULL
        ) {end}
        """)

    private static let incidents = Migration.Step.statement(
        """
        CREATE TABLE incidents (
            incident_key TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            reference TEXT NOT NULL,
            summary TEXT NOT NULL,
            occurred_at {integer} NOT NULL
        ) {end}
        """)
}
