internal import TollgateKernel

/// The numbers of a table's rows, asked one after the other whether they are there.
///
/// A search for each is most of what references cost an audit. So for numbers that ascend the table
/// is gone through beside them, as long as the next one is near; and those that were found are
/// remembered, since many rows point at few.
struct RowNumbers {
    private let rows: AscendingNumbers
    /// The last one that the table was gone through to; nil if nowhere, or behind its end.
    private var reached: Int64?
    /// Numbers that are there, each in its place.
    private var found = [Int64](repeating: 0, count: 1 << Limits.auditFoundNumbersBits)

    /// Asks what answers with the table's numbers.
    init(_ rows: AscendingNumbers) {
        self.rows = rows
        // The first place is that of 0, which nobody has found yet.
        found[0] = 1
    }

    /// Whether a row has this number.
    mutating func contains(_ number: Int64) throws(StoreError) -> Bool {
        let place = Self.place(number)
        if found[place] == number { return true }
        guard try reaches(number) else { return false }
        found[place] = number
        return true
    }

    private mutating func reaches(_ number: Int64) throws(StoreError) -> Bool {
        if var place = reached, place <= number {
            for _ in 0..<Limits.auditNearNumbers where place < number {
                reached = try rows.next()
                guard let next = reached else { return false }
                place = next
            }
            if place >= number { return place == number }
        }
        reached = try rows.first(from: number)
        return reached == number
    }

    private static func place(_ number: Int64) -> Int {
        // Multiplied by the golden ratio, numbers that follow each other lie far apart.
        let spread = UInt64(bitPattern: number) &* 0x9e37_79b9_7f4a_7c15
        return Int(spread >> (64 - Limits.auditFoundNumbersBits))
    }
}
