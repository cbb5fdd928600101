internal import Metrics
internal import Synchronization
package import TollgateKernel

/// Where money that was handed over is settled to the end, whatever becomes of the call.
///
/// A call's task may be cancelled at any suspension point; its settle, release or booking must not.
/// So a call reserves a ``Slot`` before it touches money, and hands the closing step to the slot:
/// the step runs in this one supervised group, uncancelled, and is awaited at drain. Slots bound
/// the group (``Limits/settlementsUnderWay``): a full group refuses new calls early, it never
/// refuses a step of a call that began.
package final class Settlements: Sendable {
    private struct State {
        var slots = 0
        var isDraining = false
    }

    private let state = Mutex(State())
    private let steps: AsyncStream<@Sendable () async -> Void>
    private let enqueue: AsyncStream<@Sendable () async -> Void>.Continuation
    private let gauge = Gauge(label: "tollgate_settlements_under_way")

    /// Makes the group; ``run()`` must be running for steps to make progress.
    package init() {
        // Unbounded as a stream, bounded by the slots: each slot enqueues at most one step.
        (steps, enqueue) = AsyncStream.makeStream()
    }

    /// Runs steps until ``drain()`` was called and the last slot was given back.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await step in steps {
                group.addTask { await step() }
            }
        }
    }

    /// Refuses new slots from now on; ``run()`` returns when the open ones are done.
    package func drain() {
        let isIdle = state.withLock { state in
            state.isDraining = true
            return state.slots == 0
        }
        if isIdle { enqueue.finish() }
    }

    /// Slots in use.
    package var underWay: Int { state.withLock { $0.slots } }

    /// Reserves a place for the closing step of a call.
    ///
    /// - Throws: `unavailable` while draining or when every place is taken.
    package func reserve() throws(Failure) -> Slot {
        let count = state.withLock { state -> Int? in
            guard !state.isDraining, state.slots < Limits.settlementsUnderWay else { return nil }
            state.slots += 1
            return state.slots
        }
        guard let count else {
            throw Failure(
                .unavailable, "The service is busy or stopping; try again in a moment.",
                retryAfterMilliseconds: 1_000)
        }
        gauge.record(count)
        return Slot(self)
    }

    private func giveBack() {
        let isLast = state.withLock { state in
            state.slots -= 1
            gauge.record(state.slots)
            return state.isDraining && state.slots == 0
        }
        if isLast { enqueue.finish() }
    }

    /// A reserved place, given back when its last reference goes away.
    package final class Slot: Sendable {
        private let settlements: Settlements

        fileprivate init(_ settlements: Settlements) { self.settlements = settlements }

        deinit { settlements.giveBack() }

        /// Runs a step uncancelled in the group and returns what it returned, however cancelled the
        /// caller is.
        ///
        /// A group that was itself cancelled takes no more steps: then the caller's task does it,
        /// which is as good as long as the step's waits heed no cancellation: a ``Store``'s do not.
        package func settle<Value: Sendable>(
            _ step: @escaping @Sendable () async throws -> Value
        ) async throws -> Value {
            let result: Result<Value, any Error>? = await withCheckedContinuation { continuation in
                // The step holds the slot: the group ends only after it.
                let taken = settlements.enqueue.yield { [self] in
                    let result: Result<Value, any Error>
                    do {
                        result = .success(try await step())
                    } catch {
                        result = .failure(error)
                    }
                    withExtendedLifetime(self) { continuation.resume(returning: result) }
                }
                if case .terminated = taken { continuation.resume(returning: nil) }
            }
            guard let result else { return try await step() }
            return try result.get()
        }
    }
}
