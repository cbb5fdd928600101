import Application
import ArgumentParser
import CLI
import Foundation
import Operations
import Storage
import TollgateKernel

/// Who does something to a store or its keys beside it, and why: it stands in the operators' log.
struct LocalAct: ParsableArguments {
    @Option(name: .long, help: "Why, in a sentence; it stands in the operators' log.")
    var reason: String?

    @Option(
        name: .customLong("operator"),
        help: "Who does it (TOLLGATE_OPERATOR; then USER, or whom this runs as).")
    var person: String?

    /// Who and why; the credential says that it was done on the machine itself.
    ///
    /// - Parameter usual: The reason of those who give none.
    func actedBy(usually usual: String) -> ActedBy {
        ActedBy(
            credential: "data folder",
            person: OperatorName.resolved(person, in: CommandEnvironment.current) ?? "unnamed",
            reason: reason ?? usual, correlationID: 0)
    }

    /// What is done to the store as a whole, as a row of the operators' log.
    func act(
        _ kind: AdminAct.Kind, usually usual: String, after: String
    ) throws -> AdminAct {
        let id = AdminActID(rawValue: TimeSortedIdentifiers().next())
        return AdminAct(
            id: id, key: id.description, kind: kind,
            by: try actedBy(usually: usual).checked(), object: "store", before: "", after: after,
            at: SystemClock().now())
    }
}

/// `tollgate admin rotate-master-key`.
struct AdminRotateMasterKey: AsyncParsableCommand {
    /// Why keys are rotated and sealed anew, unless somebody says otherwise.
    static let usualReason = "the master key's rotation"

    static let configuration = CommandConfiguration(
        commandName: "rotate-master-key",
        abstract: "Puts a fresh master key in the place of the one that seals providers' keys.",
        discussion: """
            The key before stays beside it as keys/master.previous and still opens what it sealed. \
            A server that runs takes the new key from its data folder by itself; no restart is \
            needed. Then, in this order:

              1. copy the folder keys/ to every other server on the same store
              2. tollgate admin reseal
              3. put keys/master.previous away, with the backups that were made under it

            A server that lacks the copy cannot open what another has sealed under the new key. \
            Its log says so, and its customers are told to come back later.

            EXAMPLES:
              tollgate admin rotate-master-key --data /srv/tollgate
            """)

    @OptionGroup var options: RoleOptions
    @OptionGroup var act: LocalAct
    @Flag(name: .long, help: "Writes the result as JSON.") var json = false

    func run() async throws {
        try await role {
            let settings = try await options.settings([:], folder: .filled)
            let folder = settings.folder
            try folder.checkMayRotate()
            let backend = try await Backend.open(settings, role: .jobs)
            do {
                try await ResealKeys.recordRotation(
                    backend.ports, by: act.actedBy(usually: Self.usualReason))
            } catch {
                await backend.close()
                throw error
            }
            await backend.close()
            try folder.rotateMasterKey()
            let console = CommandEnvironment.current.console
            let previous = "\(folder.path)/keys/master.previous"
            guard !json else {
                console.json(.object([("rotated", .bool(true)), ("previousKey", .text(previous))]))
                return
            }
            console.line("Rotated; the key before is kept as \(previous).")
            if case .postgreSQL = try settings.storeLocation() {
                console.line("Next: copy keys/ to every other server on this store, then")
                console.line("tollgate admin reseal")
            } else {
                console.line("Next: tollgate admin reseal")
            }
        }
    }
}

/// `tollgate admin reseal`.
struct AdminReseal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reseal",
        abstract: "Seals every provider's key under the present master key.",
        discussion: """
            Runs beside servers and jobs on the same store, and may be run again. Ends with 1 if a \
            key opens under neither master key: whose is said, and it has to be bound anew.

            EXAMPLES:
              tollgate admin reseal --data /srv/tollgate
              tollgate admin reseal --json
            """)

    @OptionGroup var options: RoleOptions
    @OptionGroup var act: LocalAct
    @Flag(name: .long, help: "Writes the result as JSON.") var json = false

    func run() async throws {
        try await role {
            let settings = try await options.settings([:], folder: .filled)
            let backend = try await Backend.open(settings, role: .jobs)
            let report: ResealKeys.Report
            do {
                report = try await ResealKeys(backend.ports, vault: backend.vault)
                    .run(by: act.actedBy(usually: AdminRotateMasterKey.usualReason))
            } catch {
                await backend.close()
                throw error
            }
            await backend.close()
            tell(report)
            guard report.unreadableCount == 0 else { throw ExitCode(1) }
        }
    }

    private func tell(_ report: ResealKeys.Report) {
        let console = CommandEnvironment.current.console
        guard !json else {
            console.json(
                .object([
                    ("keys", .number(Int64(report.keys))),
                    ("resealed", .number(Int64(report.resealed))),
                    ("unreadable", .number(Int64(report.unreadableCount))),
                    ("unreadableKeys", .array(report.unreadable.map { .text($0) })),
                ]))
            return
        }
        console.line("\(Plural.of(report.keys, "key")), \(report.resealed) sealed anew.")
        for name in report.unreadable { console.line("opens under neither key: \(name)") }
        if report.unreadableCount == 0 {
            console.line("keys/master.previous is needed for older backups alone.")
        }
    }
}
