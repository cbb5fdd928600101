import Dispatch
import Synchronization

/// The one place that makes tasks for callers in C: their threads wait for them.
enum BlockingCall {
    /// Runs `body` in a task and waits for it on this thread, which must be none of Swift's pool.
    ///
    /// Each of the cancellers cancels the task; it is waited for nevertheless.
    static func run<Value: Sendable>(
        _ cancellers: [Canceller] = [], _ body: @escaping @Sendable () async -> Value
    ) -> Value {
        let outcome = Outcome<Value>()
        let task = Task { outcome.set(await body()) }
        return cancelled(by: cancellers, task) { outcome.wait() }
    }

    /// Runs `body` while each of the cancellers cancels the task.
    static func cancelled<Value>(
        by cancellers: [Canceller], _ task: Task<Void, Never>, _ body: () -> Value
    ) -> Value {
        let numbers = cancellers.map { $0.begin { task.cancel() } }
        defer { for (canceller, number) in zip(cancellers, numbers) { canceller.end(number) } }
        return body()
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
