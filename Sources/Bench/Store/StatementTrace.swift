import GRDBSQLite
import Synchronization
import TollgateKernel

/// Listens to what every SQLite connection of this process runs, from its opening on.
///
/// SQLite calls an entry point of ours for each connection that is opened (sqlite3_auto_extension),
/// which asks it to report every statement: the store needs no hook for it.
enum StatementTrace {
    /// What each connection ran, by its address; nil while nobody listens.
    private static let recorders = Mutex<[UInt: HoldRecorder]?>(nil)

    /// Runs `body` listening, and returns the recording of the connection that made holds.
    /// - Throws: A ``Failure`` if no connection made any, or what it ran cannot be replayed.
    static func recording(_ body: () async throws -> Void) async throws -> HoldRecording {
        recorders.withLock { $0 = [:] }
        defer { recorders.withLock { $0 = nil } }
        guard sqlite3_auto_extension(entryPoint) == SQLITE_OK else {
            throw Failure(.internalError, "SQLite takes no extension.")
        }
        defer { sqlite3_cancel_auto_extension(entryPoint) }
        try await body()
        let heard = recorders.withLock { $0 ?? [:] }
        let writer = heard.values.max {
            $0.recording.holds.count < $1.recording.holds.count
        }
        guard let writer, !writer.recording.holds.isEmpty
        else { throw Failure(.internalError, "No connection made a hold.") }
        if let fault = writer.fault {
            throw Failure(.internalError, "The holds cannot be replayed: \(fault).")
        }
        return writer.recording
    }

    /// The type that SQLite declares for entry points, whatever they really take.
    private typealias EntryPoint = @convention(c) () -> Void
    private typealias Opened =
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
            UnsafeRawPointer?
        ) -> Int32

    private static var entryPoint: EntryPoint {
        let opened: Opened = { connection, _, _ in
            sqlite3_trace_v2(
                connection, UInt32(SQLITE_TRACE_STMT), StatementTrace.began,
                connection.map { UnsafeMutableRawPointer($0) })
        }
        // SQLite calls it with three arguments (sqlite3_auto_extension's documentation asks for
        // this very cast).
        return unsafe unsafeBitCast(opened, to: EntryPoint.self)
    }

    private static let began:
        @convention(c) (
            UInt32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32 = { _, connection, statement, text in
            guard let connection, let statement, let text else { return 0 }
            let prepared = String(cString: text.assumingMemoryBound(to: CChar.self))
            guard let expanded = sqlite3_expanded_sql(OpaquePointer(statement)) else { return 0 }
            let values = String(cString: expanded)
            sqlite3_free(expanded)
            StatementTrace.recorders.withLock { recorders in
                recorders?[UInt(bitPattern: connection), default: HoldRecorder()]
                    .take(text: prepared, expanded: values)
            }
            return 0
        }
}
