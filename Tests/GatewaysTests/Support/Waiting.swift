import Synchronization
import Testing

/// Counts what happened, on whatever thread.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func add() { count.withLock { $0 += 1 } }
}

/// Waits up to five seconds for a value to be there.
@discardableResult
func eventually<Value>(_ value: () -> Value?) async throws -> Value {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < .seconds(5) {
        if let value = value() { return value }
        try await Task.sleep(for: .milliseconds(1))
    }
    return try #require(value())
}

/// The shortest of three measurements: a busy machine lengthens some, a defect all of them.
func fastestOfThree(_ measure: () async throws -> Duration) async throws -> Duration {
    var fastest = try await measure()
    for _ in 0..<2 { fastest = min(fastest, try await measure()) }
    return fastest
}
