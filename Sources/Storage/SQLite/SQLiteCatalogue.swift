internal import Application
internal import GRDB
internal import Synchronization
internal import TollgateKernel

/// Holds the schema of a SQLite store against the one that the migrations make.
///
/// What they make is made once more, in memory, by the same engine: its catalogue has every table,
/// index, trigger and rule as the text it was made with. What stands on other tables that share the
/// file is nobody's concern here.
struct SQLiteCatalogue {
    let connection: SQLiteConnection

    /// One object of a catalogue.
    private struct Object: Hashable {
        var kind: String
        var name: String
    }

    /// What a catalogue says of an object.
    private struct Entry: Hashable, Sendable {
        var table: String
        var text: String
    }

    /// Made once, since the migrations are the program's; what failed is tried again.
    private static let kept = Mutex<[Object: Entry]?>(nil)

    private static func expected() throws(StoreError) -> [Object: Entry] {
        if let made = kept.withLock({ $0 }) { return made }
        let made = try Self.made()
        kept.withLock { $0 = made }
        return made
    }

    /// Tells a sentence for each object that is missing, changed or foreign.
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) {
        let expected = try Self.expected()
        let found = try Self.objects(connection)
        for (object, entry) in Self.sorted(expected) where found[object] != entry {
            let state = found[object] == nil ? "is missing" : "is not as it was made"
            tell("\(Self.named(object, entry)) \(state)")
        }
        try foreign().forEach(tell)
    }

    /// The tables that the migrations make.
    static func tables() throws(StoreError) -> Set<String> {
        Set(try expected().keys.filter { $0.kind == "table" }.map(\.name))
    }

    /// The tables that share the file and are somebody else's, in order of their names.
    func foreignTables() throws(StoreError) -> [String] {
        let tables = try Self.tables()
        return try Self.objects(connection).keys
            // The engine's own, such as the one behind AUTOINCREMENT, come and go with others.
            .filter { $0.kind == "table" && !$0.name.hasPrefix("sqlite_") }
            .map(\.name).filter { !tables.contains($0) }.sorted()
    }

    /// A sentence for each index and trigger on one of our tables that no migration made.
    ///
    /// Whoever runs the store may have added them, so they keep nobody from restoring it.
    func foreign() throws(StoreError) -> [String] {
        let expected = try Self.expected()
        let tables = try Self.tables()
        return Self.sorted(try Self.objects(connection))
            .filter { expected[$0.key] == nil && tables.contains($0.value.table) }
            .map { "\(Self.named($0.key, $0.value)) is foreign" }
    }

    private static func sorted(_ objects: [Object: Entry]) -> [(key: Object, value: Entry)] {
        objects.sorted { ($0.value.table, $0.key.name) < ($1.value.table, $1.key.name) }
    }

    private static func named(_ object: Object, _ entry: Entry) -> String {
        let owner = object.kind == "table" ? "" : " of \(entry.table)"
        return "the \(object.kind) \(object.name)\(owner)"
    }

    private static func made() throws(StoreError) -> [Object: Entry] {
        do {
            let queue = try DatabaseQueue()
            defer { try? queue.close() }
            return try queue.writeWithoutTransaction { database in
                let connection = try SQLiteConnection(database)
                defer { connection.forgetStatements() }
                let migrator = Migrator(migrations: Schema.migrations, dialect: .sqlite)
                let moment = Timestamp(milliseconds: 0)
                try migrator.prepare(.sqlite(connection), realm: .sandbox, now: moment)
                try migrator.migrate(.sqlite(connection), now: moment)
                return try objects(connection)
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw .engine("the schema cannot be made for comparison: \(error)")
        }
    }

    private static func objects(
        _ connection: SQLiteConnection
    ) throws(StoreError) -> [Object: Entry] {
        var objects: [Object: Entry] = [:]
        try connection.forEach(Text.objects) { row in
            objects[Object(kind: row.text(0), name: row.text(1))] = Entry(
                table: row.text(2), text: row.text(3))
        }
        return objects
    }

    private enum Text {
        // ANALYZE makes tables of its own.
        static let objects = SQL(
            """
            SELECT type, name, tbl_name, sql FROM sqlite_master
            WHERE name NOT LIKE 'sqlite^_stat%' ESCAPE '^'
            """)
    }
}
