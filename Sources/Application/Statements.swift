package import Accounts
internal import Operations
package import TollgateKernel

/// Monthly statements of accounts.
package struct Statements: Sendable {
    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// What a month came to on an account; nil is the running one.
    ///
    /// What is read is as much as moved in the month, in slices of ``Limits/statementSliceRows``
    /// with a transaction each: a month has no bound of its own, but each slice has, and the
    /// caller's deadline and cancellation end the walk between two of them.
    ///
    /// - Throws: `not_found` for an unknown account, `invalid_request` for a month that has not
    ///   begun, `internal_error`, with an incident, if the two sides differ.
    package func statement(
        of account: AccountID, for asked: ShanghaiMonth?
    ) async throws -> Statement {
        let now = ports.clock.now()
        let month = asked ?? ShanghaiMonth(now)
        do {
            var sum = try await ports.store.read { tx in
                var sum = try MonthlySum(
                    of: account, for: month, at: now, ledgers: tx.ledger, accounts: tx.accounts)
                try sum.step(tx.ledger, limit: Limits.statementSliceRows)
                return sum
            }
            while !sum.isComplete {
                try Task.checkCancellation()
                sum = try await ports.store.read { [sum] tx in
                    var sum = sum
                    try sum.step(tx.ledger, limit: Limits.statementSliceRows)
                    return sum
                }
            }
            return try sum.statement()
        } catch let mismatch as StatementMismatch {
            try await report(mismatch, account, month, at: now)
            throw Failure(
                .internalError,
                "This statement does not add up and is not shown; the operator has been told.")
        }
    }

    /// Once for a month of an account, however often it is asked for.
    private func report(
        _ mismatch: StatementMismatch, _ account: AccountID, _ month: ShanghaiMonth,
        at now: Timestamp
    ) async throws {
        _ = try await ports.store.write { tx in
            try tx.operations.insert(
                Incident(
                    key: "statement:\(account):\(month)", kind: .statementMismatch,
                    reference: "account:\(account)", summary: mismatch.summary, at: now))
        }
    }
}
