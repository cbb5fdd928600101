internal import Glibc

/// The entries of one index, as its table's rows ask for them or as it holds them.
struct EntrySum: Equatable {
    private var sum = HashSum()

    /// How many there are.
    var entries: Int64 { sum.count }

    /// Adds an entry: the values of these columns, in this order.
    mutating func add(_ row: Row, _ columns: [Int32]) {
        var hasher = Hasher()
        for column in columns {
            switch row.stored(column) {
            case .null: hasher.combine(0)
            case .integer(let number):
                hasher.combine(1)
                hasher.combine(number)
            case .real(let number):
                hasher.combine(2)
                hasher.combine(number.bitPattern)
            case .text(let bytes):
                hasher.combine(3 + 2 * bytes.count)
                hasher.combine(bytes: bytes)
            case .blob(let bytes):
                hasher.combine(4 + 2 * bytes.count)
                hasher.combine(bytes: bytes)
            }
        }
        sum.add(hasher)
    }
}

/// Whether an index's entries are in the order by which SQLite looks for them: NULL, numbers,
/// texts by their bytes, byte strings.
struct EntryOrder {
    /// Columns of the key, without those that only tell entries of one key apart.
    let keyColumns: Int
    /// Whether a key stands once, unless a part of it is NULL.
    let isUnique: Bool

    private var last: [Kept]
    private var isFirst = true
    /// No table here has real numbers: where one stands the order is not known, and the engine
    /// judges.
    private var isKnown = true

    private struct Kept {
        var rank = 0
        var number: Int64 = 0
        var bytes: [UInt8] = []
    }

    init(columns: Int, keyColumns: Int, isUnique: Bool) {
        self.keyColumns = keyColumns
        self.isUnique = isUnique
        last = Array(repeating: Kept(), count: columns)
    }

    /// Takes the next entry in; false if it does not come after the last, or repeats its key.
    mutating func follows(_ row: Row) -> Bool {
        var equal = 0
        var order: Int64 = -1
        var hasNull = false
        if !isFirst {
            order = 0
            while equal < last.count {
                let value = row.stored(Int32(equal))
                order = Self.compare(last[equal], value)
                guard order == 0 else { break }
                if case .null = value, equal < keyColumns { hasNull = true }
                equal += 1
            }
        }
        isFirst = false
        for column in equal..<last.count { keep(row.stored(Int32(column)), at: column) }
        return isKnown && order < 0 && !(isUnique && equal >= keyColumns && !hasNull)
    }

    private mutating func keep(_ value: StoredValue, at column: Int) {
        last[column].rank = Self.rank(value)
        switch value {
        case .null: break
        case .real: isKnown = false
        case .integer(let number): last[column].number = number
        case .text(let bytes), .blob(let bytes):
            last[column].bytes.removeAll(keepingCapacity: true)
            last[column].bytes.append(contentsOf: bytes)
        }
    }

    /// Below zero if the kept value comes first; a real number equals none, so that it is kept.
    private static func compare(_ kept: Kept, _ value: StoredValue) -> Int64 {
        let rank = rank(value)
        guard kept.rank == rank else { return kept.rank < rank ? -1 : 1 }
        switch value {
        case .null: return 0
        case .real: return 1
        case .integer(let number):
            return kept.number == number ? 0 : kept.number < number ? -1 : 1
        case .text(let bytes), .blob(let bytes):
            return kept.bytes.withUnsafeBytes { own in
                let shared = min(own.count, bytes.count)
                if shared > 0, let first = own.baseAddress, let second = bytes.baseAddress {
                    let order = memcmp(first, second, shared)
                    if order != 0 { return Int64(order) }
                }
                return Int64(own.count - bytes.count)
            }
        }
    }

    private static func rank(_ value: StoredValue) -> Int {
        switch value {
        case .null: 0
        case .integer, .real: 1
        case .text: 2
        case .blob: 3
        }
    }
}
