internal import Synchronization
internal import TollgateKernel

/// Writes that wait for their batch, and whether somebody is working on them.
final class WriteQueue: Sendable {
    private struct State {
        var waiting: [PendingWrite] = []
        var isDraining = false
        var isClosed = false
        var closers: [CheckedContinuation<Void, Never>] = []

        mutating func take(_ limit: Int) -> [PendingWrite] {
            // Mostly so when a batch asks who may join it: no room is made for that.
            if waiting.isEmpty { return [] }
            guard waiting.count > limit else {
                let all = waiting
                waiting = []
                waiting.reserveCapacity(Limits.writesInOneBatch)
                return all
            }
            let first = Array(waiting.prefix(limit))
            waiting.removeFirst(limit)
            return first
        }
    }

    /// What became of a write that was handed in.
    enum Admission: Hashable {
        /// It waits; somebody is draining already.
        case waits
        /// It waits, and the caller has to start the draining.
        case waitsForDrain
        /// Too many wait.
        case full
        /// The store is closing.
        case closed
    }

    private let state = Mutex(State())

    /// Hands a write in.
    func append(_ write: PendingWrite) -> Admission {
        state.withLock { state in
            if state.isClosed { return .closed }
            if state.waiting.count >= Limits.pendingWrites { return .full }
            state.waiting.append(write)
            if state.isDraining { return .waits }
            state.isDraining = true
            return .waitsForDrain
        }
    }

    /// What the next batch begins with: what has arrived, oldest first.
    ///
    /// Empty ends the draining.
    func nextBatch() -> [PendingWrite] {
        let (batch, closers) = state.withLock { state in
            if state.waiting.isEmpty {
                state.isDraining = false
                let closers = state.isClosed ? state.closers : []
                if state.isClosed { state.closers = [] }
                return ([PendingWrite](), closers)
            }
            return (state.take(Limits.writesInOneBatch), [])
        }
        for closer in closers { closer.resume() }
        return batch
    }

    /// What has arrived since the batch under way began, oldest first: so many at most may join it.
    ///
    /// Empty if there is none; the draining goes on.
    func joining(atMost limit: Int) -> [PendingWrite] {
        state.withLock { $0.take(limit) }
    }

    /// How many wait now.
    var count: Int { state.withLock { $0.waiting.count } }

    /// Refuses new writes and returns when the waiting ones are settled.
    func close() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.isDraining { state.closers.append(continuation) }
                return !state.isDraining
            }
            if isIdle { continuation.resume() }
        }
    }
}
