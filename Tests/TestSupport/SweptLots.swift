package import Accounts
package import TollgateKernel

extension Ledger {
    /// Ends lots whose time is out as the sweep does (`Sweeps.expireLots`), in the caller's
    /// transaction: looks for those that are due, then ends each by its number.
    ///
    /// - Returns: How many lots lost something; at most `limit`.
    package func sweepLots(
        in repository: any LedgerRepository, at now: Timestamp, limit: Int
    ) throws -> Int {
        try repository.expiredLots(at: now, limit: limit)
            .filter { try expireLot($0.id, at: now) }.count
    }
}
