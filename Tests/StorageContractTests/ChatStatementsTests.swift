import Accounts
import Application
import Auth
import Chat
import GRDBSQLite
import Synchronization
import TestSupport
import Testing
import TollgateKernel

/// Listens to what SQLite's connections to one folder run.
///
/// SQLite calls an entry point of ours for each connection that this process opens, and that asks
/// it to report every statement.
private enum Listening {
    /// What each connection ran, by its address, while a folder is listened to.
    private static let heard = Mutex<(folder: String, texts: [UInt: [String]])?>(nil)

    /// Has every connection report that is opened inside `body`.
    static func around<Value>(_ body: () async throws -> Value) async throws -> Value {
        #expect(sqlite3_auto_extension(entryPoint) == SQLITE_OK)
        defer { sqlite3_cancel_auto_extension(entryPoint) }
        return try await body()
    }

    /// The statements that connections to a folder run during `body`, of each that runs any.
    static func statements(in folder: String, _ body: () async throws -> Void) async throws
        -> [[String]]
    {
        heard.withLock { $0 = (folder, [:]) }
        try await body()
        return heard.withLock { heard in
            defer { heard = nil }
            return heard.map { Array($0.texts.values) } ?? []
        }
    }

    private typealias EntryPoint = @convention(c) () -> Void
    private typealias Opened =
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
            UnsafeRawPointer?
        ) -> Int32

    private static var entryPoint: EntryPoint {
        let opened: Opened = { connection, _, _ in
            sqlite3_trace_v2(
                connection, UInt32(SQLITE_TRACE_STMT), Listening.began,
                connection.map { UnsafeMutableRawPointer($0) })
        }
        // SQLite's own documentation asks for this very cast.
        return unsafe unsafeBitCast(opened, to: EntryPoint.self)
    }

    private static let began:
        @convention(c) (
            UInt32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32 = { _, connection, _, text in
            guard let connection, let text else { return 0 }
            let statement = String(cString: text.assumingMemoryBound(to: CChar.self))
            // What a trigger runs is announced as a comment: it belongs to what fired it.
            guard !statement.hasPrefix("--"),
                let path = sqlite3_db_filename(OpaquePointer(connection), "main")
            else { return 0 }
            let file = String(cString: path)
            heard.withLock { heard in
                guard let folder = heard?.folder, file.contains(folder) else { return }
                heard?.texts[UInt(bitPattern: connection), default: []].append(statement)
            }
            return 0
        }
}

/// What a chat asks of the store, so that it cannot grow unnoticed.
@Suite(.serialized) struct ChatStatementsTests {
    /// The verb and the first table of a statement.
    private static func summary(_ text: String) -> String {
        let words = text.split { $0 == " " || $0 == "\n" }.map(String.init)
        switch words.first {
        case "SELECT":
            return "SELECT " + (words.firstIndex(of: "FROM").map { words[$0 + 1] } ?? "")
        case "INSERT": return "INSERT " + words[2]
        case "UPDATE": return "UPDATE " + words[1]
        default: return words.first ?? ""
        }
    }

    private static let hold = [
        "BEGIN", "SELECT login_sessions", "SELECT accounts", "SELECT lots", "UPDATE lots",
        "UPDATE customer_ledgers", "INSERT holds", "INSERT hold_lots", "INSERT write_attempts",
        "COMMIT",
    ]
    private static let settle = [
        "BEGIN", "UPDATE holds", "SELECT customer_ledgers", "INSERT transfers",
        "SELECT hold_lots", "UPDATE lots", "UPDATE customer_ledgers", "INSERT usage_records",
        "INSERT write_attempts", "COMMIT",
    ]

    @Test func `A chat runs fourteen statements in two transactions, and reads nothing beside`()
        async throws
    {
        try await Listening.around {
            try await TestBench.with(policy: ServicePolicy(trialCallsPerDay: 0)) { bench in
                try await bench.offer()
                let token = try await bench.signIn().token
                try await bench.withSettlements { settlements in
                    let useCase = AnswerQuestion(
                        bench.ports, catalogue: bench.catalogue, gateway: ScriptedModels(),
                        vault: bench.vault, settlements: settlements, heavyWork: CountedWork())
                    let ask = { (id: String) in
                        let question = Question(
                            caller: .session(token), model: "",
                            turns: [ChatMessage(role: .user, content: "hi")], maxTokens: 0,
                            requestID: id)
                        try await useCase.answer(question) { _ in }
                    }
                    // The first one reads the catalogue, which is then known for a second.
                    try await ask("first")
                    let heard = try await Listening.statements(in: bench.folder) {
                        try await ask("second")
                    }
                    let connections = heard.map { $0.map(Self.summary) }
                    #expect(connections == [Self.hold + Self.settle])
                }
            }
        }
    }
}
