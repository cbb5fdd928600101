import ArgumentParser
import CLI
import Operations
import Storage
import TollgateKernel

/// `tollgate admin`: what a server answers (the CLI's part), and what is done on its files.
struct OperatorCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract: Admin.configuration.abstract,
        discussion: Admin.configuration.discussion + """

              tollgate admin backup --data /srv/tollgate --to /backup/monday.sqlite
              tollgate admin verify /backup/monday.sqlite
              tollgate admin restore /backup/monday.sqlite --data /srv/tollgate --replace
              tollgate admin rotate-master-key --data /srv/tollgate
              tollgate admin reseal --data /srv/tollgate
            """,
        subcommands: Admin.configuration.subcommands + [
            AdminBackup.self, AdminVerify.self, AdminRestore.self, AdminRotateMasterKey.self,
            AdminReseal.self,
        ])
}

/// `tollgate admin backup`.
struct AdminBackup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies a data folder's store into one file, while it is used.",
        discussion: """
            The copy is the store of one moment, whatever is written meanwhile. It does not hold \
            the keys: keep the folder's keys/ as safe, and apart from it. Who made it stands in \
            the operators' log, here and in the copy.

            EXAMPLES:
              tollgate admin backup --data /srv/tollgate --to /backup/monday.sqlite
            """)

    @OptionGroup var options: RoleOptions
    @OptionGroup var log: LogOptions
    @OptionGroup var act: LocalAct
    @Option(name: .long, help: "The new file; one that exists is never written over.")
    var to: String
    @Flag(name: .long, help: "Writes the verdict as JSON.") var json = false

    func run() async throws {
        try await role {
            let settings = try await options.settings(log.settings, folder: .existing)
            try StoreText.checkIsFile(settings)
            let logBounds = try settings.logBounds()
            let act = try act.act(
                .storeBackedUp, usually: "a backup", after: StoreText.name(of: to))
            let (untold, report) = try await StoreText.telling {
                (
                    try await StoreFile.backup(
                        folder: settings.folder.path, to: to, act: act, logBounds: logBounds),
                    try await StoreFile.verify(to)
                )
            }
            try StoreText.tell(report, file: to, json: json)
            if let untold {
                CommandEnvironment.current.console.note(
                    "This backup is not in the operators' log: \(untold)")
            }
            guard report.isRestorable else { throw ExitCode(1) }
            if !json { CommandEnvironment.current.console.line("Backed up to \(to).") }
        }
    }
}

/// `tollgate admin verify`.
struct AdminVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Audits a store's file from end to end, without a server.",
        discussion: """
            Runs the checkers of `tollgate admin audit` on a backup, or on the store of a data \
            folder beside its server; C14 needs the time of a service that runs, and is left out. \
            Ends with 1 if anything does not add up.

            EXAMPLES:
              tollgate admin verify /backup/monday.sqlite
              tollgate admin verify --data /srv/tollgate --json
            """)

    @OptionGroup var options: RoleOptions
    @OptionGroup var log: LogOptions
    @Argument(help: "A backup; without it the data folder's own store.") var file: String?
    @Flag(name: .long, help: "Writes the verdict as JSON.") var json = false

    func run() async throws {
        try await role {
            let path: String
            var logBounds = LogBounds()
            if let file {
                path = file
            } else {
                let settings = try await options.settings(log.settings, folder: .existing)
                try StoreText.checkIsFile(settings)
                logBounds = try settings.logBounds()
                path = settings.folder.storePath
            }
            let report = try await StoreText.telling { [logBounds] in
                try await StoreFile.verify(path, logBounds: logBounds)
            }
            try StoreText.tell(report, file: path, json: json)
            guard report.isClean else { throw ExitCode(1) }
        }
    }
}

/// `tollgate admin restore`.
struct AdminRestore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Puts a backup in the place of a data folder's store.",
        discussion: """
            Stop server and jobs first. The backup is verified before anything is touched; the \
            store that was there is kept beside it. What was acknowledged after the backup is not \
            in it: an incident says from when it is, and payments that come for orders it does not \
            know are put aside until somebody has looked.

            EXAMPLES:
              tollgate admin restore /backup/monday.sqlite --data /srv/tollgate
              tollgate admin restore /backup/monday.sqlite --data /srv/tollgate --replace
            """)

    @OptionGroup var options: RoleOptions
    @OptionGroup var act: LocalAct
    @Argument(help: "The backup.") var file: String
    @Flag(name: .long, help: "Puts a store that is there aside.") var replace = false
    @Flag(name: .long, help: "Writes the verdict as JSON.") var json = false

    func run() async throws {
        try await role {
            let settings = try await options.settings([:], folder: .named)
            try StoreText.checkIsFile(settings)
            let folder = settings.folder
            let act = try act.act(
                .storeRestored, usually: "a restore", after: StoreText.name(of: file))
            let restored = try await StoreText.telling {
                try await StoreFile.restore(
                    file, into: folder.path, replaces: replace, act: act, now: act.at)
            }
            try StoreText.tell(
                restored.report, file: file, replacedStore: restored.replacedStore, json: json)
            guard !json else { return }
            let console = CommandEnvironment.current.console
            console.line("Restored from \(file).")
            if let aside = restored.replacedStore {
                console.line("The store that was there is kept as \(aside).")
            }
        }
    }
}

/// What the commands on files print.
enum StoreText {
    /// Makes a store's refusal a sentence for whoever typed the command.
    static func telling<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let refusal as StoreRefusal {
            throw Failure(.unavailable, "\(refusal)")
        }
    }

    /// A file's name without its folders, as the operators' log has it.
    static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// Refuses a store that is no file.
    static func checkIsFile(_ settings: Settings) throws {
        guard case .folder = try settings.storeLocation() else {
            throw Failure(
                .invalidRequest,
                "This store is PostgreSQL: back it up with pg_dump and restore it with pg_restore "
                    + "(docs/SCALING.md says how).")
        }
    }

    private struct Verdict: Encodable {
        struct Finding: Encodable {
            var check: String
            var summary: String
            var rows: Int64
            var violationCount: Int64
            var violations: [String]
        }

        var file: String
        var clean: Bool
        var restorable: Bool
        var realm: String
        var schemaVersion: Int64
        var madeAtMilliseconds: Int64
        var newestTransferAtMilliseconds: Int64?
        var replacedStore: String?
        var findings: [Finding]
        var notes: [String]
    }

    /// Writes a report, for people or for programs.
    static func tell(
        _ report: StoreFile.Report, file: String, replacedStore: String? = nil, json: Bool
    ) throws {
        let environment = CommandEnvironment.current
        guard json else {
            let moments = Moments(timeZone: environment.timeZone)
            for line in lines(report, moments) { environment.console.line(line) }
            return
        }
        let verdict = Verdict(
            file: file, clean: report.isClean, restorable: report.isRestorable,
            realm: report.realm, schemaVersion: report.schemaVersion,
            madeAtMilliseconds: report.madeAt.milliseconds,
            newestTransferAtMilliseconds: report.newestTransferAt?.milliseconds,
            replacedStore: replacedStore,
            findings: report.findings.map {
                Verdict.Finding(
                    check: $0.check, summary: $0.summary, rows: Int64($0.rows),
                    violationCount: Int64($0.violationCount), violations: $0.violations)
            }, notes: report.notes)
        environment.console.line(try JobText.encode(verdict))
    }

    /// A report, a line for each checker and each violation.
    static func lines(_ report: StoreFile.Report, _ moments: Moments) -> [String] {
        var lines = [
            "realm \(report.realm), schema \(report.schemaVersion), newest transfer "
                + (report.newestTransferAt.map { moments.zoned($0.milliseconds) } ?? "none")
        ]
        for finding in report.findings {
            lines.append(
                "\(finding.check)  \(Plural.of(Int64(finding.rows), "row")), "
                    + "\(Plural.of(Int64(finding.violationCount), "violation")): "
                    + finding.summary)
            lines += finding.violations.map { "    \($0)" }
        }
        lines += report.notes.map { "note: \($0)" }
        lines.append(conclusion(report))
        return lines
    }

    private static func conclusion(_ report: StoreFile.Report) -> String {
        if report.isClean { return "The books are clean." }
        return report.isRestorable
            ? "The books add up; what is foreign was added by somebody."
            : "The books do not add up."
    }
}
