package import Application
import Synchronization
import TollgateKernel

/// A store of which a test refuses writes by their number: refusing all from one on is what a
/// process that was killed there leaves behind.
package final class CutStore: Store {
    private let base: any Store
    private let refuses: @Sendable (_ number: Int) -> Bool
    private let error: any Error
    private let count = Mutex(0)
    /// What is wrong with the machine's clock.
    package let clockTrouble: String?
    private let refusal: Mutex<String?>

    /// Wraps a store; the first write has number 1.
    package init(
        _ base: any Store, throwing error: any Error = Failure(.unavailable, "scripted"),
        clockTrouble: String? = nil, clockRefusal: String? = nil,
        refuses: @escaping @Sendable (_ number: Int) -> Bool
    ) {
        self.base = base
        self.error = error
        self.clockTrouble = clockTrouble
        refusal = Mutex(clockRefusal)
        self.refuses = refuses
    }

    /// Writes asked for so far.
    package var writes: Int { count.withLock { $0 } }

    /// Why nothing begins by the machine's clock; a test sets it at any time.
    package var clockRefusal: String? {
        get { refusal.withLock { $0 } }
        set { refusal.withLock { $0 = newValue } }
    }

    private func pass() throws {
        let number = count.withLock { count in
            count += 1
            return count
        }
        if refuses(number) { throw error }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try pass()
        return try await base.write(body)
    }

    package func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        try pass()
        return try await base.begin(body)
    }

    package func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await base.read(freshness, body)
    }
}
