internal import Application
internal import Synchronization
internal import TollgateKernel

/// How a batch ended, for one of its writes.
enum BatchVerdict: Sendable {
    /// Committed and synced: its outcome may leave, a thrown error too.
    case committed
    /// Not made, or nobody knows: this is what its caller is told.
    case failed(Failure)
}

/// A write on its way through the queue.
///
/// The order of calls is `apply`, then (once its whole batch was applied) `announceApplied`, then
/// `settle`; after a batch that was undone, `apply` comes again.
class PendingWrite: @unchecked Sendable {
    // Unchecked: the caller makes it and hands it over through the queue's lock; from then on the
    // thread that took it out of the queue alone touches it, except for what subclasses keep behind
    // a lock.

    /// Runs the closure and keeps its outcome; false if it threw.
    func apply(_ transaction: any Transaction) -> Bool { false }

    /// Replaces the outcome: the engine refused to keep what the closure did.
    func fail(_ error: any Error) {}

    /// The closure's changes stand in the batch; nothing to tell if it failed.
    func announceApplied() {}

    /// The batch is at its end.
    func settle(_ verdict: BatchVerdict) {}
}

/// What a closure came to; kept until its batch is at its end.
private func outcome<Value: Sendable>(
    _ result: Result<Value, any Error>?, _ verdict: BatchVerdict
) -> Result<Value, any Error> {
    switch verdict {
    case .failed(let failure): .failure(failure)
    case .committed:
        result ?? .failure(Failure(.internalError, "A write was settled before it ran."))
    }
}

/// A write whose caller waits for its end only.
final class DurableWrite<Value: Sendable>: PendingWrite, @unchecked Sendable {
    // Unchecked: see PendingWrite.
    private let body: @Sendable (any Transaction) throws -> Value
    private let caller: CheckedContinuation<Value, any Error>
    private var result: Result<Value, any Error>?

    init(
        _ body: @escaping @Sendable (any Transaction) throws -> Value,
        caller: CheckedContinuation<Value, any Error>
    ) {
        self.body = body
        self.caller = caller
    }

    override func apply(_ transaction: any Transaction) -> Bool {
        do {
            result = .success(try body(transaction))
            return true
        } catch {
            result = .failure(error)
            return false
        }
    }

    override func fail(_ error: any Error) { result = .failure(error) }

    override func settle(_ verdict: BatchVerdict) {
        caller.resume(with: outcome(result, verdict))
    }
}

/// A write whose caller goes on as soon as it is applied, and asks for its end later.
final class TwoMomentWrite<Value: Sendable>: PendingWrite, @unchecked Sendable {
    // Unchecked: see PendingWrite; what the caller's side shares is in `end`.
    private let body: @Sendable (any Transaction) throws -> Value
    private var caller: CheckedContinuation<AppliedWrite<Value>, any Error>?
    private var result: Result<Value, any Error>?
    private let end = Mutex(End())

    private struct End {
        var outcome: Result<Value, any Error>?
        var waiters: [CheckedContinuation<Value, any Error>] = []
    }

    init(
        _ body: @escaping @Sendable (any Transaction) throws -> Value,
        caller: CheckedContinuation<AppliedWrite<Value>, any Error>
    ) {
        self.body = body
        self.caller = caller
    }

    override func apply(_ transaction: any Transaction) -> Bool {
        do {
            result = .success(try body(transaction))
            return true
        } catch {
            result = .failure(error)
            return false
        }
    }

    override func fail(_ error: any Error) { result = .failure(error) }

    override func announceApplied() {
        guard case .success(let value) = result, let caller else { return }
        self.caller = nil
        caller.resume(
            returning: AppliedWrite(value: value) { try await self.waitForEnd() })
    }

    override func settle(_ verdict: BatchVerdict) {
        let outcome = outcome(result, verdict)
        let waiters = end.withLock { end in
            end.outcome = outcome
            defer { end.waiters = [] }
            return end.waiters
        }
        for waiter in waiters { waiter.resume(with: outcome) }
        guard let caller else { return }
        self.caller = nil
        caller.resume(
            with: outcome.map { value in AppliedWrite(value: value) { value } })
    }

    private func waitForEnd() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = end.withLock { end in
                if end.outcome == nil { end.waiters.append(continuation) }
                return end.outcome
            }
            if let outcome { continuation.resume(with: outcome) }
        }
    }
}
