import Synchronization
import TollgateKernel
import TollgateRPC

/// Repeats calls that are safe to repeat, within a budget.
///
/// Safe are idempotent methods whose connection broke or whose attempt took too long, and any call
/// that the server certainly did not begin. What does not fit the call's own deadline is not tried.
package final class RetryPolicy: Sendable {
    private struct Budgets {
        var retries: RetryBudget
        var hedges: RetryBudget
    }

    private let budgets: Mutex<Budgets>

    /// Makes a policy that begins with so many further attempts in hand and never saves up more.
    package init(
        retriesInHand: Int = Limits.clientRetriesInHand,
        hedgesInHand: Int = Limits.clientHedgesInHand
    ) {
        budgets = Mutex(
            Budgets(
                retries: RetryBudget(inHand: retriesInHand),
                hedges: RetryBudget(inHand: hedgesInHand)))
    }

    /// Runs one call, again if it failed in a way that allows it.
    ///
    /// An attempt gets what is left of the call's time, or `attemptMilliseconds` if that is less.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    func run<Result>(
        _ call: OutgoingCall, attemptMilliseconds: Int64? = nil,
        _ attempt: (OutgoingCall) async throws(RPCError) -> Result
    ) async throws -> Result {
        var call = call
        call.trail = CallTrail()
        var attempts = 1
        while true {
            let pause: Int64
            do throws(RPCError) {
                let result = try await attempt(Self.bounded(call, attemptMilliseconds))
                earn()
                return result
            } catch {
                if error.code == RPCError.Code.cancelled { try Task.checkCancellation() }
                let next = Self.pauseMilliseconds(
                    after: error, attempt: attempts, isIdempotent: call.method.isIdempotent,
                    remainingMilliseconds: call.deadline.remainingMilliseconds,
                    random: Double.random(in: 0...1))
                guard let next, budgets.withLock({ $0.retries.spend() }) else {
                    throw TollgateError(error)
                }
                attempts += 1
                pause = next
            }
            ClientMeters.again(call.method, .retry)
            try await Task.sleep(for: .milliseconds(pause))
        }
    }

    private static func bounded(_ call: OutgoingCall, _ milliseconds: Int64?) -> OutgoingCall {
        guard let milliseconds else { return call }
        var call = call
        call.deadline = min(call.deadline, CallDeadline(milliseconds: milliseconds))
        return call
    }

    private func earn() {
        budgets.withLock { budgets in
            budgets.retries.earn()
            budgets.hedges.earn()
        }
    }

    /// How long to wait before the next attempt, in milliseconds; nil if there is to be none.
    ///
    /// `random` is from 0 to 1: half to all of a pause that doubles, so that callers that failed
    /// together come back apart. A server that says how long to wait is obeyed.
    static func pauseMilliseconds(
        after error: RPCError, attempt: Int, isIdempotent: Bool, remainingMilliseconds: Int64,
        random: Double
    ) -> Int64? {
        guard attempt < Limits.rpcAttempts, isSafe(error, isIdempotent: isIdempotent) else {
            return nil
        }
        let whole = Limits.clientRetryPauseMilliseconds << Int64(attempt + 1)
        let own = whole / 2 + Int64(Double(whole / 2) * random)
        let pause = max(own, error.failure.retryAfterMilliseconds ?? 0)
        // Waiting for nothing but the deadline helps nobody.
        return pause < remainingMilliseconds ? pause : nil
    }

    private static func isSafe(_ error: RPCError, isIdempotent: Bool) -> Bool {
        if error.isNotProcessed { return true }
        switch error.code {
        case RPCError.Code.connectionFailed, RPCError.Code.endOfFile, RPCError.Code.timedOut:
            return isIdempotent
        default: return false
        }
    }

    // MARK: Hedging

    /// What a racing call has to tell.
    private enum Event<Value: Sendable>: Sendable {
        case answer(Result<Value, RPCError>)
        case due
    }

    /// Runs an attempt, and a second one beside it if the first has not answered in time; the first
    /// success counts, the other call is cancelled and awaited.
    ///
    /// There is none if the transport has no second server for it: the same one would only be given
    /// more to do when it is slow already.
    func hedge<Value: Sendable>(
        _ call: OutgoingCall, afterMilliseconds: Int64, over transport: any ClientTransport,
        _ attempt: @escaping @Sendable (OutgoingCall) async throws(RPCError) -> Value
    ) async throws(RPCError) -> Value {
        let result = await withTaskGroup(of: Event<Value>.self) { group in
            group.addTask { await Self.answer(call, attempt) }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(max(0, afterMilliseconds)))
                return .due
            }
            var running = 1
            var last = Result<Value, RPCError>.failure(Self.cancelled)
            for await event in group {
                switch event {
                case .answer(let result):
                    running -= 1
                    last = result
                    if case .success = result { running = 0 }
                case .due:
                    guard !Task.isCancelled, await transport.mayHedge(call),
                        budgets.withLock({ $0.hedges.spend() })
                    else { continue }
                    ClientMeters.again(call.method, .hedge)
                    running += 1
                    group.addTask { await Self.answer(call, attempt) }
                }
                if running == 0 { break }
            }
            group.cancelAll()
            return last
        }
        return try result.get()
    }

    private static func answer<Value: Sendable>(
        _ call: OutgoingCall,
        _ attempt: @Sendable (OutgoingCall) async throws(RPCError) -> Value
    ) async -> Event<Value> {
        do throws(RPCError) {
            return .answer(.success(try await attempt(call)))
        } catch {
            return .answer(.failure(error))
        }
    }

    private static let cancelled = RPCError(
        code: RPCError.Code.cancelled, text: "The call was cancelled")
}
