import Application
import Foundation
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// A process that dies by SIGKILL at any point of a commit, or in the middle of its files.
///
/// Every write that was acknowledged is there, every other one is there wholly or not at all, the
/// audit is clean, and whoever asks again for all that was not acknowledged gets what an
/// undisturbed history gives.
///
/// A few points a run, chosen by a printed seed (`TOLLGATE_TEST_SEED` repeats it); every one with
/// `TOLLGATE_TEST_EVERY_KILL=1`.
@Suite(
    .serialized, .timeLimit(.minutes(60)),
    .enabled(if: Victim.canRun, Comment(rawValue: Victim.skipped)))
struct KillPointTests {
    private static let isThorough = getenv("TOLLGATE_TEST_EVERY_KILL") != nil
    /// So many kills a test, if not all.
    private static let kills = 8

    @Test(arguments: Engine.all)
    func `A process may be killed at any point of a commit`(engine: Engine) async throws {
        try await killEverywhere(engine, "point")
    }

    @Test(arguments: ["write", "sync"])
    func `A process may be killed at any write or sync of its files`(kind: String) async throws {
        try await killEverywhere(.sqlite, kind)
    }

    private func killEverywhere(_ engine: Engine, _ kind: String) async throws {
        let undisturbed = try await histories(engine)
        let survivor = try await killedOnce(engine, kind, 0, undisturbed)
        let count = try #require(survivor.count, "the victim lives if it is not killed")
        // Histories share batches, but a step that leaves something waits for a commit of its own.
        let leaving = undisturbed.map { Set($0).count - 1 }.max() ?? 0
        #expect(count >= leaving, "the history meets enough points")
        if Self.isThorough {
            var number = 1
            while try await killedOnce(engine, kind, number, undisturbed).count == nil {
                number += 1
            }
            print("kill points: \(engine.rawValue), \(kind): all \(number - 1)")
            #expect(number > count / 2, "batches vary, but not that much")
            return
        }
        let seed = testSeed()
        var random = SplitMix(state: seed)
        // One in each stretch of the history, so that none is left out for long.
        let numbers = (0..<Self.kills).map { stretch in
            let first = 1 + stretch * count / Self.kills
            let last = max(first, (stretch + 1) * count / Self.kills)
            return Int.random(in: first...last, using: &random)
        }
        print(
            "kill points: \(engine.rawValue), \(kind): TOLLGATE_TEST_SEED=\(seed): \(numbers) "
                + "of \(count)")
        var died = 0
        for number in numbers {
            let end = try await killedOnce(engine, kind, number, undisturbed)
            if end.count == nil { died += 1 }
        }
        // The last stretch may not be reached when more writes share a batch than the first time.
        #expect(died >= Self.kills / 2, "the victim was killed \(died) times")
    }

    /// Lets a victim die once in a store of its own, and judges what it left.
    private func killedOnce(
        _ engine: Engine, _ kind: String, _ number: Int, _ undisturbed: [[String]]
    ) async throws -> Victim.End {
        let place = try await VictimPlace(engine)
        let end = try await Victim.run(place.address, kind, number)
        try await place.waitUntilAlone()
        let store = try await place.open()
        let label = "\(engine.rawValue), \(kind) \(number)"
        for lane in 0..<MoneyScenario.lanes {
            let found = try await store.fingerprint(of: lane)
            let told = end.acknowledged[lane, default: 0]
            let states = undisturbed[lane]
            let next = min(told + 1, states.count - 1)
            #expect(
                found == states[told] || found == states[next],
                "\(label): history \(lane) has \(told) acknowledged steps, but left\n\(found)")
        }
        let left = try await violations(store)
        #expect(left == [], "\(label), as it was left: \(left)")
        for lane in 0..<MoneyScenario.lanes {
            for step in end.acknowledged[lane, default: 0]..<MoneyScenario.count {
                try await MoneyScenario(lane: lane).play(step, in: store)
            }
            let found = try await store.fingerprint(of: lane)
            #expect(found == undisturbed[lane].last, "\(label): history \(lane) was not completed")
        }
        let completed = try await violations(store)
        #expect(completed == [], "\(label), when completed: \(completed)")
        await store.close()
        try place.remove()
        return end
    }

    private func violations(_ store: any OpenedStore) async throws -> [String] {
        try await OperatorQueries(try ports(store)).audit().flatMap(\.violations)
    }

    /// What each history's rows are after so many steps, without a kill.
    private func histories(_ engine: Engine) async throws -> [[String]] {
        let place = try await VictimPlace(engine)
        let store = try await place.open()
        var all: [[String]] = []
        for lane in 0..<MoneyScenario.lanes {
            var states = [try await store.fingerprint(of: lane)]
            for step in 0..<MoneyScenario.count {
                try await MoneyScenario(lane: lane).play(step, in: store)
                states.append(try await store.fingerprint(of: lane))
            }
            #expect(Set(states).count >= 14, "most steps leave something")
            all.append(states)
        }
        await store.close()
        try place.remove()
        return all
    }
}

/// Where a victim keeps its store: made before it starts, looked at after it died.
private struct VictimPlace {
    let address: String
    private let folder: TemporaryFolder?
    private let schema: TemporarySchema?

    init(_ engine: Engine) async throws {
        switch engine {
        case .sqlite:
            let folder = try TemporaryFolder()
            self.folder = folder
            schema = nil
            address = folder.path
        case .postgreSQL:
            let schema = try TemporarySchema()
            folder = nil
            self.schema = schema
            address = schema.server.address(schema: schema.name, application: schema.name)
        }
        // Migrations are not what is killed here.
        await (try await open()).close()
    }

    func open() async throws -> any OpenedStore {
        if let folder { return try await folder.open() }
        return try await #require(schema).open()
    }

    /// PostgreSQL goes on with what it was sent before it sees that its client is dead.
    func waitUntilAlone() async throws {
        guard let schema else { return }
        let isAlone = try await eventually {
            try schema.server.run(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(schema.name)'")
                == "0"
        }
        #expect(isAlone, "a dead client's session stays")
    }

    func remove() throws { try schema?.remove() }
}

/// The process that dies.
private enum Victim {
    /// What it came to.
    struct End: Sendable {
        /// How many steps of each history it told of.
        var acknowledged: [Int: Int] = [:]
        /// How many points there were, if it lived to tell.
        var count: Int?
    }

    private static let program = URL(filePath: CommandLine.arguments[0])
        .deletingLastPathComponent().appending(path: "StoreVictim")

    static var canRun: Bool { getenv("TSAN_OPTIONS") == nil }

    static let skipped = "SKIPPED: killed processes are not judged under the thread sanitizer"

    static func run(_ address: String, _ kind: String, _ number: Int) async throws -> End {
        let process = Process()
        let output = Pipe()
        process.executableURL = program
        process.arguments = [address, kind, "\(number)"]
        process.standardOutput = output
        let told = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "tollgate.tests.victim").async {
                continuation.resume(
                    with: Result {
                        try process.run()
                        let told = try output.fileHandleForReading.readToEnd() ?? Data()
                        process.waitUntilExit()
                        return String(decoding: told, as: UTF8.self)
                    })
            }
        }
        var end = End()
        for line in told.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "end" {
                end.count = Int(words[1])
            } else if let lane = Int(words[0]), let step = Int(words[1]) {
                end.acknowledged[lane] = step + 1
            }
        }
        let wasKilled =
            process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
        let hasLived = process.terminationReason == .exit && process.terminationStatus == 0
        #expect(end.count == nil ? wasKilled : hasLived, "status \(process.terminationStatus)")
        return end
    }
}

extension OpenedStore {
    /// Every row of a history, as text.
    fileprivate func fingerprint(of lane: Int) async throws -> String {
        let account = MoneyScenario(lane: lane).account.rawValue
        return try await read { tx in
            let connection = try connection(tx)
            var isSQLite = false
            if case .sqlite = connection { isSQLite = true }
            var lines: [String] = []
            for text in isSQLite ? HistoryText.sqlite : HistoryText.postgreSQL {
                lines += try connection.all(text, account) { $0.text(0) }
            }
            return lines.joined(separator: "\n")
        }
    }
}

private enum HistoryText {
    static let sqlite = texts("hex(chain_hash)")
    static let postgreSQL = texts("encode(chain_hash, 'hex')")

    private static func texts(_ hash: String) -> [SQL] {
        let owned = "/ \(MoneyScenario.identifiers) = $1"
        return [
            row("accounts", "id, status, opened_at", "id = $1"),
            row("customer_ledgers", "posted, held, sequence, open_calls, \(hash)", "account = $1"),
            row(
                "lots", "id, account, granted, remaining, held, COALESCE(expires_at, 0)",
                "id \(owned)"),
            row(
                "holds", "id, account, request_id, state, amount, settled, COALESCE(ended_at, 0)",
                "id \(owned)"),
            row("hold_lots", "hold, position, lot, amount", "hold \(owned)"),
            row(
                "transfers",
                "id, transfer_key, kind, unit, from_account, to_account, amount, occurred_at, "
                    + "COALESCE(sequence, 0), COALESCE(posted_after, 0), "
                    + "COALESCE(\(hash), '')", "id \(owned)"),
            row("trial_days", "account, day, used", "account = $1"),
            row("model_permissions", "account, model", "account = $1"),
            row(
                "orders", "id, state, COALESCE(paid_at, 0), COALESCE(transaction_id, '')",
                "account = $1"),
            row("order_events", "order_id, from_state, to_state, cause", "order_id \(owned)"),
            row("payments", "transaction_id, order_id, total_fen", "order_id \(owned)"),
            row("admin_acts", "id, act_key, kind", "id \(owned)"),
            row("outbox_messages", "id, account, kind, state", "account = $1"),
            row(
                "incidents", "incident_key, kind",
                "reference IN (SELECT CAST(id AS TEXT) FROM orders WHERE account = $1)"),
        ].map { SQL($0) }
    }

    private static func row(_ table: String, _ columns: String, _ condition: String) -> String {
        let line = columns.replacingOccurrences(of: ", ", with: ",")
        let parts = split(line).joined(separator: " || '|' || ")
        return "SELECT '\(table): ' || \(parts) AS line FROM \(table) WHERE \(condition) ORDER BY 1"
    }

    /// The columns: commas inside parentheses separate none.
    private static func split(_ columns: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in columns {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts
    }
}
