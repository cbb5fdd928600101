import Dispatch
import Synchronization

/// The one place that makes tasks for callers in C: their threads wait for them.
enum BlockingCall {
    /// Runs `body` in a task and waits for it on this thread, which must be none of Swift's pool.
    ///
    /// `canceller` cancels the task; it is waited for nevertheless.
    static func run<Value: Sendable>(
        _ canceller: Canceller? = nil, _ body: @escaping @Sendable () async -> Value
    ) -> Value {
        let outcome = Outcome<Value>()
        let task = Task { outcome.set(await body()) }
        let number = canceller?.begin { task.cancel() }
        defer { if let number { canceller?.end(number) } }
        return outcome.wait()
    }

    /// Starts a task that lives as long as a client.
    static func start(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task { await body() }
    }
}

/// A value that one task sets and one thread waits for.
final class Outcome<Value: Sendable>: Sendable {
    private let value: Mutex<Value?> = Mutex(nil)
    private let isSet = DispatchSemaphore(value: 0)

    func set(_ value: Value) {
        self.value.withLock { $0 = value }
        isSet.signal()
    }

    func wait() -> Value {
        while true {
            isSet.wait()
            if let value = value.withLock({ $0 }) { return value }
        }
    }
}
