import ArgumentParser
import Storage
import TollgateKernel

/// How much room SQLite's write-ahead log has while an audit or a backup reads.
struct LogOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            How far SQLite's log may grow before a long read (an audit, a backup) is ended, in MiB \
            of the disk (TOLLGATE_STORE_LOG_MEBIBYTES; default 1024).
            """)
    var storeLogMebibytes: Int?

    /// The settings that were given.
    var settings: [String: String?] {
        ["store.logMebibytes": storeLogMebibytes.map(String.init)]
    }
}

extension Settings {
    /// The bounds of SQLite's log.
    /// - Throws: A ``Failure`` if the setting is out of its range, or the store keeps no such log.
    func logBounds() throws -> LogBounds {
        let given = try number("store.logMebibytes", within: Limits.walCrowdedMebibytes)
        guard let mebibytes = given else { return LogBounds() }
        guard case .folder = try storeLocation() else {
            throw Failure(
                .invalidRequest,
                "--store-log-mebibytes is about SQLite's log, and this store is PostgreSQL; leave "
                    + "it out.")
        }
        return LogBounds(crowdedBytes: mebibytes << 20)
    }
}
