import Application
import Foundation
import Operations
import Sandbox
import Testing
import TollgateClient
import TollgateKernel

@testable import Storage

/// `tollgate admin backup`, `verify` and `restore` as people and their scripts run them.
@Suite(.serialized) struct StoreCommandsTests {
    /// What the commands say with --json.
    private struct Verdict: Decodable {
        struct Finding: Decodable {
            var check: String
            var violationCount: Int
        }

        var file: String
        var clean: Bool
        var realm: String
        var replacedStore: String?
        var findings: [Finding]
    }

    /// More than can be spent meanwhile.
    private static let given: Int64 = 20_000

    private func with(_ body: (RunningLoop) async throws -> Void) async throws {
        let loop = try RunningLoop([
            "TOLLGATE_TRIAL_CALLS_PER_DAY": "0",
            "TOLLGATE_WELCOME_MICRO_CREDITS": "\(Guest.welcomeCredits * 1_000_000)",
        ])
        do {
            for name in ["sandbox", "serve", "web"] { try loop.start(name) }
            try await body(loop)
        } catch {
            Issue.record("serve: \(loop.log("serve"))")
            await loop.end()
            throw error
        }
        await loop.end()
    }

    /// Runs a command of `tollgate admin` to its end; what it wrote.
    private func admin(
        _ words: [String], _ loop: RunningLoop, status: Int32 = 0,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let name = "admin-\(UUID().uuidString)"
        let ended = await (try loop.command(["admin"] + words, name: name)).ended()
        let output = loop.output(name)
        #expect(ended == status, "\(words): \(output)", sourceLocation: location)
        return output
    }

    private func verdict(_ output: String) throws -> Verdict {
        try JSONDecoder().decode(Verdict.self, from: Data(output.utf8))
    }

    private func signIn(_ name: String, _ client: TollgateClient, _ loop: RunningLoop)
        async throws -> Guest
    {
        let code = try await loop.eventually { () async throws -> String? in
            _ = try await loop.sandbox.follow(phone: name)
            let reply = try await loop.sandbox.send("login", phone: name).reply ?? ""
            return reply.firstMatch(of: /[0-9A-Z]{4}-[0-9A-Z]{4}/).map { String($0.output) }
        }
        return try await Guest(name, code: code, through: client)
    }

    @Test(.timeLimit(.minutes(3)))
    func `A backup taken under load is the service again, with all that was acknowledged by then`()
        async throws
    {
        try await with { loop in
            _ = try await loop.eventually {
                loop.output("serve").contains("listening ") ? true : nil
            }
            let clients = try [loop.client("cli"), loop.client("cli")]
            let ann = try await signIn("ann", clients[0], loop)
            let operators = try loop.client("admin")
            try await AdminServiceClient(operators).put(ann, into: V1.Tier(name: "free"))
            try await AdminServiceClient(operators).give(ann, credits: Self.given)
            let file = "\(loop.folder)/monday.sqlite"
            let load = PairLoad([ann], clients)
            let (before, after) = try await backUp(file, loop, load)
            // While a server runs nothing is put into its place.
            let busy = try await admin(["restore", file, "--replace"], loop, status: 6)
            #expect(busy.contains("A server runs on "))
            try await look(at: file, loop)

            await loop.stop("serve")
            for client in clients + [operators] { await client.close() }
            let kept = try await admin(["restore", file], loop, status: 6)
            #expect(kept.contains("exists; --replace puts it aside"))
            let restored = try verdict(
                await admin(
                    ["restore", file, "--replace", "--json", "--operator", "eve"], loop))
            #expect(restored.clean && restored.file == file)
            let aside = try #require(restored.replacedStore)
            let put = try verdict(await admin(["verify", aside, "--json"], loop))
            #expect(put.clean)

            try loop.start("serve")
            let client = try loop.client("cli")
            let quota = try await loop.eventually { try await ann.quota(through: client) }
            let had = (Guest.welcomeCredits + Self.given) * 1_000_000
            let spent = had - quota.postedMicroCredits
            #expect(spent >= before && spent <= after, "\(before)…\(after): \(spent)")
            guard case .answered = await ann.ask(through: client) else {
                Issue.record("the restored service answers nobody")
                return
            }
            await client.close()
            _ = try await admin(["audit"], loop)
            let incidents = try await admin(["incidents", "--json"], loop)
            #expect(incidents.contains("store_restored"))
            let log = try await admin(["log", "--json"], loop)
            for act in ["store_backed_up", "store_restored"] {
                #expect(log.split(separator: act).count == 2, "\(log)")
            }
            for word in ["dan", "before the drill", "eve", "monday.sqlite"] {
                #expect(log.contains("\"\(word)\""), "\(word): \(log)")
            }
        }
    }

    /// Backs the store up while it is used; what was acknowledged when the command began, and what
    /// may have been charged when it had ended.
    private func backUp(
        _ file: String, _ loop: RunningLoop, _ load: PairLoad
    ) async throws -> (before: Int64, after: Int64) {
        func acknowledged() -> Int64 { load.entries.reduce(0) { $0 + ($1.charged ?? 0) } }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run() }
            defer { load.stop() }
            _ = try await loop.eventually { acknowledged() >= 10_000_000 ? true : nil }
            let before = acknowledged()
            let made = try verdict(
                await admin(
                    [
                        "backup", "--to", file, "--json", "--operator", "dan", "--reason",
                        "before the drill",
                    ], loop))
            #expect(made.clean && made.realm == "sandbox" && made.file == file)
            #expect(made.findings.map(\.check).contains("C9"))
            // A chat that was under way may be in it.
            let after = load.entries.reduce(0) {
                $0 + ($1.charged ?? ($1.outcome == nil ? 1_000_000 : 0))
            }
            _ = try await loop.eventually { acknowledged() > after ? true : nil }
            return (before, after)
        }
    }

    /// What can be said of a backup and of the store that is used.
    private func look(at file: String, _ loop: RunningLoop) async throws {
        for words in [["verify", file, "--json"], ["verify", "--json"]] {
            let told = try verdict(await admin(words, loop))
            #expect(told.clean && told.findings.allSatisfy { $0.violationCount == 0 })
        }
        let facts = try FileManager.default.attributesOfItem(atPath: file)
        #expect(facts[.posixPermissions] as? Int == 0o600)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        let taken = try await admin(["backup", "--to", file], loop, status: 6)
        #expect(taken.contains("\(file) exists already; name a new file."))
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes)
        let nowhere = "\(loop.folder)/nosuchfolder/x.sqlite"
        let unwritable = try await admin(["backup", "--to", nowhere], loop, status: 9)
        #expect(unwritable.contains("\(nowhere) cannot be written"))
    }

    @Test(.timeLimit(.minutes(2)))
    func `Books that do not add up are told by the exit code, and restored nowhere`() async throws {
        try await with { loop in
            _ = try await loop.eventually {
                loop.output("serve").contains("listening ") ? true : nil
            }
            let client = try loop.client("cli")
            _ = try await signIn("ann", client, loop)
            await client.close()
            await loop.stop("serve")
            let store = try await SQLiteStore.open(
                folder: "\(loop.folder)/data", realm: .sandbox, role: .serve)
            try await store.write { tx in
                guard let stored = tx as? StoredTransaction else { return }
                try stored.connection.execute("UPDATE customer_ledgers SET posted = posted + 1")
            }
            await store.close()
            let file = "\(loop.folder)/wrong.sqlite"
            let made = try verdict(
                await admin(["backup", "--to", file, "--json"], loop, status: 1))
            #expect(!made.clean)
            let wrong = made.findings.filter { $0.violationCount > 0 }.map(\.check)
            #expect(wrong == ["C1", "C2", "C9"])
            #expect(!(try verdict(await admin(["verify", file, "--json"], loop, status: 1)).clean))
            let told = try await admin(["verify", file], loop, status: 1)
            #expect(told.hasSuffix("The books do not add up.\n"))
            let elsewhere = "\(loop.folder)/elsewhere"
            let refused = try await admin(["restore", file, "--data", elsewhere], loop, status: 6)
            #expect(refused.contains("does not add up; verify it to see why."))
            #expect(!FileManager.default.fileExists(atPath: elsewhere))
        }
    }
}
