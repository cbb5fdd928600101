internal import Synchronization

/// A value from outside, fetched once for all who need it.
///
/// One caller at a time fetches; the others wait for what it gets, its failure included, so that no
/// crowd repeats a call that just failed. Should that caller be cancelled, one of those who wait
/// fetches in its place.
final class SharedFetch<Value: Sendable>: Sendable {
    private enum Outcome: Sendable {
        case value(Value)
        case failure(any Error)
        case askYourself
    }

    private struct State {
        var value: Value?
        var isFetching = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    }

    private let state = Mutex(State())

    /// What was fetched last; nil before.
    var present: Value? { state.withLock { $0.value } }

    /// The present value if `isGood`, or one that `fetch` gets.
    ///
    /// - Throws: what `fetch` threw, to everybody who waited for it; `CancellationError`.
    func value(
        where isGood: (Value) -> Bool, fetch: () async throws -> Value
    ) async throws -> Value {
        while true {
            try Task.checkCancellation()
            let (present, mayFetch) = state.withLock { state in
                if let value = state.value, isGood(value) { return (value as Value?, false) }
                guard !state.isFetching else { return (nil, false) }
                state.isFetching = true
                return (nil, true)
            }
            if let present { return present }
            if mayFetch { return try await lead(fetch) }
            switch await outcome() {
            case .value(let value): return value
            case .failure(let error): throw error
            case .askYourself: continue
            }
        }
    }

    /// Fetches, and tells those who wait.
    private func lead(_ fetch: () async throws -> Value) async throws -> Value {
        do {
            let value = try await fetch()
            finish(.value(value))
            return value
        } catch let error where error is CancellationError || Task.isCancelled {
            finish(.askYourself)
            throw error
        } catch {
            finish(.failure(error))
            throw error
        }
    }

    private func finish(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            if case .value(let value) = outcome { state.value = value }
            state.isFetching = false
            let waiters = state.waiters
            state.waiters = [:]
            return waiters
        }
        for waiter in waiters.values { waiter.resume(returning: outcome) }
    }

    /// Waits for the one who fetches; a cancelled task looks again at once.
    private func outcome() async -> Outcome {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.isFetching, !Task.isCancelled else { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: .askYourself) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
            waiter?.resume(returning: .askYourself)
        }
    }
}
