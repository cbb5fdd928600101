internal import TollgateKernel

/// How far a store's clock may be from the database's, and how often they are compared; a reason
/// stands with each default in `Limits`.
package struct PostgreSQLClockLimits: Hashable, Sendable {
    /// Beyond this nothing is ended by time, in milliseconds.
    package var doubtedMilliseconds = Limits.storeClockDoubtedMilliseconds
    /// Beyond this a store does not open, in milliseconds.
    package var refusedMilliseconds = Limits.storeClockRefusedMilliseconds
    /// Between two looks, in milliseconds.
    package var intervalMilliseconds = Limits.storeClockCheckMilliseconds

    /// The usual limits.
    package init() {}

    /// None, for tests and benchmarks whose clock stands still.
    package static var none: PostgreSQLClockLimits {
        var limits = PostgreSQLClockLimits()
        limits.doubtedMilliseconds = .max
        limits.refusedMilliseconds = .max
        return limits
    }
}

/// How far our clock is ahead of the database's, negative if it is behind.
struct PostgreSQLClockOffset: Hashable, Sendable {
    /// The offset as measured.
    var milliseconds: Int64
    /// By how much it may be wrong: half of the journey there and back.
    var uncertaintyMilliseconds: Int64

    /// What it is at least, without its sign: a slow answer says little.
    var certainMilliseconds: Int64 {
        max(0, Int64(clamping: milliseconds.magnitude) - uncertaintyMilliseconds)
    }

    /// What is told of it; which of the two is wrong cannot be known here.
    var sentence: String {
        let seconds = Double((Double(certainMilliseconds) / 100).rounded() / 10)
        let side = milliseconds > 0 ? "ahead" : "behind"
        return "This machine's clock and the database's differ by \(seconds) s (ours is \(side))"
    }

    /// Asks the database for its clock's moment.
    static func measure(
        _ connection: PostgreSQLConnection, _ environment: PostgreSQLEnvironment
    ) throws(StoreError) -> PostgreSQLClockOffset {
        let began = environment.elapsed()
        let ours = environment.now()
        var theirs: Int64 = 0
        try connection.forEachRow(of: clock) { theirs = $0.integer(0) }
        let half = Int64((environment.elapsed() - began) / .milliseconds(2))
        return PostgreSQLClockOffset(
            milliseconds: ours.milliseconds + half - theirs, uncertaintyMilliseconds: half + 1)
    }

    private static let clock =
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
}

/// Who has a copy of what the database keeps.
struct PostgreSQLStandbys: Hashable, Sendable {
    /// Standbys that follow just now.
    var count: Int64
    /// The setting `synchronous_standby_names`.
    var synchronousNames: String

    /// What is wrong with it; nil if nothing is.
    var sentence: String? {
        guard count > 0, synchronousNames.isEmpty else { return nil }
        return "The database has standbys and waits for none: a failover forgets writes that were "
            + "acknowledged. Set synchronous_standby_names (Patroni: synchronous_mode)."
    }

    /// Asks the database; who follows to back up, to keep the log, or to copy rows is no standby.
    static func look(_ connection: PostgreSQLConnection) throws(StoreError) -> PostgreSQLStandbys {
        var found = PostgreSQLStandbys(count: 0, synchronousNames: "")
        try connection.forEachRow(of: text) { row in
            found = PostgreSQLStandbys(count: row.integer(0), synchronousNames: row.text(1))
        }
        return found
    }

    // Not counted: logical subscribers, which hold a slot of their kind; base backups ('backup'),
    // and the log that pg_basebackup and pg_receivewal take, who never tell that they replay it, as
    // a standby does with its first word. A user without the right to see more sees only who
    // follows by which name: slots, which everybody sees, and the two programs' names tell then.
    private static let text = """
        SELECT COUNT(*), current_setting('synchronous_standby_names')
        FROM pg_stat_replication AS sender
        WHERE (state IN ('streaming', 'catchup') AND replay_lsn IS NOT NULL
                OR state IS NULL
                    AND application_name NOT IN ('pg_basebackup', 'pg_receivewal'))
            AND NOT EXISTS (
                SELECT 1 FROM pg_replication_slots AS slot
                WHERE slot.active_pid = sender.pid AND slot.slot_type = 'logical')
        """
}
