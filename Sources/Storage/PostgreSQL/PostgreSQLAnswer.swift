internal import CPostgres
internal import TollgateKernel

/// What PostgreSQL answered to a statement, in binary form.
///
/// The types of its columns are checked once, so that reading a column cannot fail.
enum PostgreSQLAnswer {
    private enum Column {
        static let bool: UInt32 = 16
        static let bytes: UInt32 = 17
        static let int8: UInt32 = 20
        static let int2: UInt32 = 21
        static let int4: UInt32 = 23
        static let text: UInt32 = 25
        static let name: UInt32 = 19
        static let varchar: UInt32 = 1_043
        static let numeric: UInt32 = 1_700
    }

    /// Refuses columns that ``Row`` could not read, and sums that fit into no 64 bits.
    static func check(_ answer: OpaquePointer) throws(StoreError) {
        for column in 0..<PQnfields(answer) {
            switch PQftype(answer, column) {
            case Column.bool, Column.bytes, Column.int8, Column.int2, Column.int4, Column.text,
                Column.name, Column.varchar:
                continue
            case Column.numeric:
                for row in 0..<PQntuples(answer)
                where PQgetisnull(answer, row, column) == 0
                    && numeric(bytes(answer, row, column)) == nil
                {
                    throw .corrupt("a sum is no whole number of 64 bits")
                }
            case let type: throw .engine("a column has the unknown type \(type)")
            }
        }
    }

    /// Whether a value is NULL.
    static func isNull(_ answer: OpaquePointer, _ row: Int32, _ column: Int32) -> Bool {
        PQgetisnull(answer, row, column) != 0
    }

    /// A value's bytes; valid as long as the answer is.
    static func bytes(
        _ answer: OpaquePointer, _ row: Int32, _ column: Int32
    ) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(answer, row, column), count: Int(PQgetlength(answer, row, column)))
    }

    /// A whole number; 0 for NULL.
    static func integer(_ answer: OpaquePointer, _ row: Int32, _ column: Int32) -> Int64 {
        let bytes = bytes(answer, row, column)
        if PQftype(answer, column) == Column.numeric { return numeric(bytes) ?? 0 }
        guard let first = bytes.first else { return 0 }
        // PostgreSQL's whole numbers have 1, 2, 4 or 8 bytes, the sign in the first; a bool is 0
        // or 1.
        return bytes.dropFirst().reduce(Int64(Int8(bitPattern: first))) { $0 << 8 | Int64($1) }
    }

    /// A numeric without a fraction; nil if it is another, or does not fit.
    ///
    /// Its form: count of digits, weight of the first, sign, scale, digits to the base 10,000.
    static func numeric(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.count >= 8, bytes.count.isMultiple(of: 2) else { return nil }
        let words = stride(from: 0, to: bytes.count, by: 2).map {
            Int(bytes[$0]) << 8 | Int(bytes[$0 + 1])
        }
        let (count, weight, sign) = (words[0], Int(Int16(truncatingIfNeeded: words[1])), words[2])
        guard words.count == 4 + count, sign == 0 || sign == 0x4000 else { return nil }
        guard count > 0 else { return 0 }
        guard weight >= count - 1, weight < 8 else { return nil }
        var value: Int64 = 0
        for place in 0...weight {
            let digit = Int64(place < count ? words[4 + place] : 0)
            let (product, overflows) = value.multipliedReportingOverflow(by: 10_000)
            // Built downwards, because the smallest number has no positive twin.
            let (next, overflowsToo) = product.subtractingReportingOverflow(digit)
            guard !overflows, !overflowsToo else { return nil }
            value = next
        }
        if sign == 0x4000 { return value }
        return value == .min ? nil : -value
    }
}
