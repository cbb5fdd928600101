import Synchronization

/// Ctrl-C, given to the innermost part of the program that wants it.
package final class Interrupts: Sendable {
    private struct Listener {
        let id: Int
        let hearsOnce: Bool
        let handle: @Sendable () -> Void
    }

    private struct State {
        var listeners: [Listener] = []
        var nextID = 0

        mutating func add(hearsOnce: Bool, _ handle: @escaping @Sendable () -> Void) -> Int {
            nextID += 1
            listeners.append(Listener(id: nextID, hearsOnce: hearsOnce, handle: handle))
            return nextID
        }

        mutating func take() -> Listener? {
            guard let innermost = listeners.last else { return nil }
            if innermost.hearsOnce { listeners.removeLast() }
            return innermost
        }
    }

    private let state = Mutex(State())

    /// Makes a source without listeners; ``ProcessSignals`` or a test delivers into it.
    package init() {}

    /// Hands one Ctrl-C to the innermost listener.
    /// - Returns: Whether there was one.
    @discardableResult
    package func deliver() -> Bool {
        guard let listener = state.withLock({ $0.take() }) else { return false }
        listener.handle()
        return true
    }

    /// Listens while `body` runs.
    package func listening<Value>(
        _ handle: @escaping @Sendable () -> Void, while body: () async throws -> Value
    ) async rethrows -> Value {
        let id = state.withLock { $0.add(hearsOnce: false, handle) }
        defer { forget(id) }
        return try await body()
    }

    /// Runs `body` until it ends or Ctrl-C cancels it.
    ///
    /// After Ctrl-C the body is cancelled and awaited; what it returned or threw no longer counts.
    /// A further Ctrl-C meanwhile goes to whoever listens further out, so that a body which does
    /// not stop cannot hold the program.
    /// - Throws: ``Interrupted``, or what the body throws.
    package func interruptible<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let (presses, continuation) = AsyncStream.makeStream(of: Void.self)
        let id = state.withLock { $0.add(hearsOnce: true) { continuation.yield() } }
        defer { forget(id) }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                for await _ in presses { return nil }
                throw CancellationError()
            }
            let first = await group.nextResult()
            group.cancelAll()
            while await group.nextResult() != nil {}
            guard let value = try first?.get() else { throw Interrupted() }
            return value
        }
    }

    private func forget(_ id: Int) {
        state.withLock { $0.listeners.removeAll { $0.id == id } }
    }
}

/// A person pressed Ctrl-C.
package struct Interrupted: Error {
    /// Makes the news.
    package init() {}
}
