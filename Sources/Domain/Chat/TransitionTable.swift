/// Where an automaton goes from a state by a character: a hash table with open addressing.
///
/// Built for looking up: a key is a state and a character in one word, a miss mostly costs one
/// probe. Swift's dictionary hashes against floods, which costs ten times as much; here an operator
/// chooses the keys, and the table is never more than half full.
struct TransitionTable: Sendable {
    /// No state and character have this key: a state's number is below 2^31.
    private static let vacant = UInt64.max

    private var keys: [UInt64] = [vacant, vacant]
    private var targets: [Int32] = [0, 0]
    private var count = 0

    /// Every transition, in no order.
    var all: [(node: Int, scalar: Unicode.Scalar, target: Int)] {
        zip(keys, targets).compactMap { key, target in
            guard key != Self.vacant,
                let scalar = Unicode.Scalar(UInt32(truncatingIfNeeded: key))
            else { return nil }
            return (node: Int(key >> 32), scalar: scalar, target: Int(target))
        }
    }

    /// The state behind `node` by `scalar`; nil if there is none.
    func target(of node: Int, by scalar: Unicode.Scalar) -> Int? {
        let key = Self.key(node, scalar)
        let mask = keys.count - 1
        var place = Self.hash(key) & mask
        while keys[place] != key {
            if keys[place] == Self.vacant { return nil }
            place = (place + 1) & mask
        }
        return Int(targets[place])
    }

    /// Adds a transition that is not there yet.
    mutating func insert(_ target: Int, of node: Int, by scalar: Unicode.Scalar) {
        if (count + 1) * 2 > keys.count { grow() }
        place(Self.key(node, scalar), Int32(target))
        count += 1
    }

    private mutating func place(_ key: UInt64, _ target: Int32) {
        let mask = keys.count - 1
        var place = Self.hash(key) & mask
        while keys[place] != Self.vacant { place = (place + 1) & mask }
        keys[place] = key
        targets[place] = target
    }

    private mutating func grow() {
        let old = zip(keys, targets).filter { $0.0 != Self.vacant }
        keys = [UInt64](repeating: Self.vacant, count: keys.count * 2)
        targets = [Int32](repeating: 0, count: keys.count)
        for (key, target) in old { place(key, target) }
    }

    private static func key(_ node: Int, _ scalar: Unicode.Scalar) -> UInt64 {
        UInt64(node) << 32 | UInt64(scalar.value)
    }

    /// Fibonacci hashing: the high bits of a product with 2^64 ÷ φ.
    private static func hash(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 32)
    }
}
