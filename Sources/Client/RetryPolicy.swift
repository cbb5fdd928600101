import Synchronization
import TollgateKernel
import TollgateRPC

/// Repeats calls that are safe to repeat, within a budget.
///
/// Safe are idempotent methods whose connection broke, and any call that the server certainly did
/// not begin. Ten successful calls earn one retry, so that a struggling server sees at most a tenth
/// more load.
package final class RetryPolicy: Sendable {
    private let budget: Mutex<Budget>

    private struct Budget {
        var tenths: Int
    }

    /// Makes a policy that begins with so many retries in hand and never saves up more.
    package init(retriesInHand: Int = Limits.clientRetriesInHand) {
        budget = Mutex(Budget(tenths: retriesInHand * 10))
    }

    /// Runs one call, again if it failed in a way that allows it.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    func run<Result>(
        _ call: OutgoingCall, _ attempt: () async throws(RPCError) -> Result
    ) async throws -> Result {
        var attempts = 1
        while true {
            do throws(RPCError) {
                let result = try await attempt()
                earn()
                return result
            } catch {
                if error.code == RPCError.Code.cancelled { try Task.checkCancellation() }
                guard attempts < Limits.rpcAttempts, isSafe(call, error), spend(),
                    call.deadline.remainingMilliseconds > 0
                else { throw TollgateError(error) }
                attempts += 1
            }
            // Half to all of a pause that doubles: callers that failed together come back apart.
            let pause = Limits.clientRetryPauseMilliseconds << attempts
            try await Task.sleep(for: .milliseconds(Int64.random(in: pause / 2...pause)))
        }
    }

    private func isSafe(_ call: OutgoingCall, _ error: RPCError) -> Bool {
        if error.isNotProcessed { return true }
        let isLoss =
            error.code == RPCError.Code.connectionFailed || error.code == RPCError.Code.endOfFile
        return isLoss && call.method.isIdempotent
    }

    private func earn() {
        budget.withLock { budget in
            budget.tenths = min(budget.tenths + 1, Limits.clientRetriesInHand * 10)
        }
    }

    private func spend() -> Bool {
        budget.withLock { budget in
            guard budget.tenths >= 10 else { return false }
            budget.tenths -= 10
            return true
        }
    }
}
