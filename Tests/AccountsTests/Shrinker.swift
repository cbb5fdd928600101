/// Makes a list of operations that fails as short, and then its operations as small, as can be.
///
/// What is left still fails, and no longer does once any one operation is taken out of it.
struct Shrinker<Operation> {
    /// Smaller forms of an operation, the smallest first; none if it is as small as can be.
    var smaller: (Operation) -> [Operation]
    /// Whether a list fails; asked at most `tries` times.
    var fails: ([Operation]) -> Bool
    /// So often a list is tried: a shrunk list is a help, not worth an evening.
    var tries = 20_000

    /// Shrinks a list that fails.
    mutating func shrink(_ operations: [Operation]) -> [Operation] {
        var best = operations
        var hasChanged = true
        while hasChanged, tries > 0 {
            hasChanged = drop(from: &best)
            if diminish(&best) { hasChanged = true }
        }
        return best
    }

    private mutating func stillFails(_ operations: [Operation]) -> Bool {
        tries -= 1
        return tries >= 0 && fails(operations)
    }

    /// Takes out what is not needed: halves, quarters, and in the end each operation.
    private mutating func drop(from best: inout [Operation]) -> Bool {
        var hasChanged = false
        var size = max(1, best.count / 2)
        while true {
            var start = 0
            var hasDropped = false
            while start < best.count {
                var shorter = best
                shorter.removeSubrange(start..<min(start + size, best.count))
                if stillFails(shorter) {
                    best = shorter
                    hasDropped = true
                } else {
                    start += size
                }
            }
            hasChanged = hasChanged || hasDropped
            // Once more by one, until none can go: a later one may have needed an earlier one.
            if size == 1, !hasDropped { return hasChanged }
            size = max(1, size / 2)
        }
    }

    private mutating func diminish(_ best: inout [Operation]) -> Bool {
        var hasChanged = false
        for place in best.indices {
            var candidates = smaller(best[place])
            while let candidate = candidates.first {
                candidates.removeFirst()
                var changed = best
                changed[place] = candidate
                guard stillFails(changed) else { continue }
                best = changed
                hasChanged = true
                candidates = smaller(candidate)
            }
        }
        return hasChanged
    }
}

/// Numbers between one bound and a number that fails, the nearest to the bound first.
func smallerNumbers(than number: Int64, downTo bound: Int64) -> [Int64] {
    guard number > bound else { return [] }
    var numbers = [bound]
    var distance = (number - bound) / 2
    while distance > 0 {
        numbers.append(number - distance)
        distance /= 2
    }
    return numbers
}
