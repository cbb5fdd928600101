package import Application
import TollgateKernel

@testable import Storage

/// Looks for a text in every column of every table there is, so that a table nobody thought of is
/// looked through as well.
package enum TextScan {
    /// The columns in whose rows the text stands, such as `accounts.openid`; byte strings are
    /// looked through by their bytes.
    package static func columns(holding text: String, _ tx: any Transaction) throws -> [String] {
        guard let stored = tx as? StoredTransaction else {
            throw StoreError.engine("another engine")
        }
        let connection = stored.connection
        let isSQLite = if case .sqlite = connection { true } else { false }
        let columns = try connection.all(isSQLite ? sqliteColumns : postgreSQLColumns) { row in
            (table: row.text(0), column: row.text(1))
        }
        // A scan of nothing finds nothing.
        guard columns.contains(where: { $0 == ("accounts", "openid") }) else {
            throw StoreError.engine("the tables were not listed")
        }
        return try columns.compactMap { table, column throws(StoreError) in
            // Bytes that are text show as themselves in either engine's own notation.
            let place =
                isSQLite
                ? "instr(CAST(\(column) AS TEXT), $1)" : "strpos(CAST(\(column) AS TEXT), $1)"
            let hex = isSQLite ? "0" : "strpos(CAST(\(column) AS TEXT), $2)"
            let count = try connection.first(
                SQL(
                    """
                    SELECT COUNT(*) FROM \(table)
                    WHERE \(place) > 0 OR \(hex) > 0 OR CAST($2 AS TEXT) = ''
                    """), text, hexadecimal(text)
            ) { $0.integer(0) }
            return (count ?? 0) > 0 ? "\(table).\(column)" : nil
        }
    }

    /// As PostgreSQL prints byte strings.
    private static func hexadecimal(_ text: String) -> String {
        let digits = Array("0123456789abcdef")
        return String(text.utf8.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private static let sqliteColumns = SQL(
        """
        SELECT tables.name, columns.name FROM sqlite_master AS tables
            JOIN pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
        """)
    private static let postgreSQLColumns = SQL(
        """
        SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
        WHERE table_schema = current_schema()
        """)
}
