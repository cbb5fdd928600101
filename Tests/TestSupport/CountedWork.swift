import Application
import Synchronization

/// Does heavy work where it is asked for, and counts.
package final class CountedWork: HeavyWork {
    private let state = Mutex(0)

    /// Makes a place where nothing was done yet.
    package init() {}

    /// How often it was asked.
    package var count: Int { state.withLock { $0 } }

    package func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        state.withLock { $0 += 1 }
        return try work()
    }
}
