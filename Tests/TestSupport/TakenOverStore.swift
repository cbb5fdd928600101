package import Application
import Operations
import Synchronization
import TollgateKernel

/// A store in which another process takes a job's lease over right before one of the writes: from
/// then on nothing may be kept of what the lease's first holder writes.
package final class TakenOverStore: Store {
    private struct State {
        var writes = 0
        var kept: [Int] = []
    }

    private let base: any Store
    private let job: String
    private let number: Int
    private let state = Mutex(State())

    /// Wraps a store; the first write has number 1.
    package init(_ base: any Store, job: String, before number: Int) {
        self.base = base
        self.job = job
        self.number = number
    }

    /// Writes asked for so far.
    package var writes: Int { state.withLock { $0.writes } }

    /// Which of the writes were kept that came after the lease was taken over.
    package var kept: [Int] { state.withLock { $0.kept } }

    private func next() async throws -> Int {
        let next = state.withLock { state in
            state.writes += 1
            return state.writes
        }
        guard next == number else { return next }
        try await base.write { [job] tx in
            guard let held = try tx.jobs.job(job) else { return }
            var taken = held
            taken.fencingToken += 1
            taken.holder = "another"
            try tx.jobs.save(taken, replacing: held)
        }
        return next
    }

    private func note(_ write: Int) {
        if write >= number { state.withLock { $0.kept.append(write) } }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        let write = try await next()
        let value = try await base.write(body)
        note(write)
        return value
    }

    package func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        let write = try await next()
        let applied = try await base.begin(body)
        note(write)
        return applied
    }

    package func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await base.read(freshness, body)
    }
}
