/// So many things, in whichever order: how many, and the sum of their hashes.
///
/// Hashes are keyed anew in every process. Two sums of as many things that are not the same ones
/// agree once in some 2^63 times, whatever was done to the file.
struct HashSum: Equatable {
    private(set) var count: Int64 = 0
    private var sum: UInt64 = 0

    /// Adds one, whose parts were fed to a hasher.
    mutating func add(_ hasher: Hasher) {
        count += 1
        sum &+= UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
