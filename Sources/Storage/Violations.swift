internal import TollgateKernel

/// What one checker found: the first of it in sentences, all of it as a number.
struct Violations {
    /// At most ``Limits/auditViolationsTold`` sentences.
    private(set) var told: [String] = []
    /// All of them.
    private(set) var count: Int64 = 0

    /// Adds one.
    mutating func tell(_ sentence: @autoclosure () -> String) {
        count += 1
        if told.count < Limits.auditViolationsTold { told.append(sentence()) }
    }

    /// Adds what another found, after these.
    mutating func add(_ other: Violations) {
        count += other.count
        told += other.told.prefix(Limits.auditViolationsTold - told.count)
    }
}
