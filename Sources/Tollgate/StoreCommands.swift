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
            """,
        subcommands: Admin.configuration.subcommands + [
            AdminBackup.self, AdminVerify.self, AdminRestore.self,
        ])
}

/// `tollgate admin backup`.
struct AdminBackup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies a data folder's store into one file, while it is used.",
        discussion: """
            The copy is the store of one moment, whatever is written meanwhile. It does not hold the
            keys: keep the folder's keys/ as safe, and apart from it.

            EXAMPLES:
              tollgate admin backup --data /srv/tollgate --to /backup/monday.sqlite
            """)

    @OptionGroup var options: RoleOptions
    @Option(name: .long, help: "The new file; one that exists is never written over.")
    var to: String

    func run() async throws {
        try await role {
            let folder = try await options.settings([:]).folder
            try await StoreFile.backup(folder: folder.path, to: to)
            let report = try await StoreFile.verify(to)
            let console = CommandEnvironment.current.console
            for line in StoreText.lines(report) { console.line(line) }
            guard report.isClean else { throw ExitCode(1) }
            console.line("Backed up to \(to).")
        }
    }
}

/// `tollgate admin verify`.
struct AdminVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Audits a store's file from end to end, without a server.",
        discussion: """
            Runs every checker of `tollgate admin audit` on a backup, or on the store of a data
            folder beside its server. Ends with 1 if anything does not add up.

            EXAMPLES:
              tollgate admin verify /backup/monday.sqlite
              tollgate admin verify --data /srv/tollgate
            """)

    @OptionGroup var options: RoleOptions
    @Argument(help: "A backup; without it the data folder's own store.") var file: String?

    func run() async throws {
        try await role {
            let path: String
            if let file {
                path = file
            } else {
                path = try await options.settings([:]).folder.storePath
            }
            let report = try await StoreText.telling { try await StoreFile.verify(path) }
            let console = CommandEnvironment.current.console
            for line in StoreText.lines(report) { console.line(line) }
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
            Stop server and jobs first. The backup is verified before anything is touched; the store
            that was there is kept beside it. What was acknowledged after the backup is not in it:
            an incident says from when it is, and payments that come for orders it does not know are
            put aside until somebody has looked.

            EXAMPLES:
              tollgate admin restore /backup/monday.sqlite --data /srv/tollgate
              tollgate admin restore /backup/monday.sqlite --data /srv/tollgate --replace
            """)

    @OptionGroup var options: RoleOptions
    @Argument(help: "The backup.") var file: String
    @Flag(name: .long, help: "Puts a store that is there aside.") var replace = false

    func run() async throws {
        try await role {
            let folder = try await options.settings([:]).folder
            let report = try await StoreText.telling {
                try await StoreFile.restore(
                    file, into: folder.path, replaces: replace, now: SystemClock().now())
            }
            let console = CommandEnvironment.current.console
            for line in StoreText.lines(report) { console.line(line) }
            console.line("Restored from \(file).")
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

    /// A report, a line for each checker and each violation.
    static func lines(_ report: StoreFile.Report) -> [String] {
        var lines = [
            "realm \(report.realm), schema \(report.schemaVersion), newest transfer "
                + (report.newestTransferAt.map { "\($0.milliseconds) ms" } ?? "none")
        ]
        for finding in report.findings {
            lines.append(
                "\(finding.check)  \(finding.rows) rows, \(finding.violationCount) violations: "
                    + finding.summary)
            lines += finding.violations.map { "    \($0)" }
        }
        lines.append(report.isClean ? "The books are clean." : "The books do not add up.")
        return lines
    }
}
