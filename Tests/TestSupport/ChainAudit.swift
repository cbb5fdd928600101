package import Accounts
import TollgateKernel

/// Walks every customer's history, in slices, and computes each link of the hash chain anew: the
/// plain way, which what the audit does in one pass is held against.
///
/// History is only ever added to, so each slice may see a later state than the one before: a
/// customer's row is compared in the slice in which their history ends.
package struct ChainAudit: Hashable, Sendable {
    /// Transfers looked at.
    package private(set) var rows: Int64 = 0
    /// Violations, one sentence each; at most ``Limits/auditViolationsTold``.
    package private(set) var violations: [String] = []
    /// Violations in all.
    package private(set) var violationCount: Int64 = 0

    private var account: AccountID?
    private var sequence: Int64 = 0
    private var hash = LedgerChain.origin
    private var posted: Int64 = 0

    /// Begins before the first customer.
    package init() {}

    /// Looks at the next transfers, at most `limit`; false when the last was seen.
    ///
    /// Each call may run in a transaction of its own.
    package mutating func step(_ repository: any LedgerRepository, limit: Int) throws -> Bool {
        let entries = try repository.history(after: account, sequence: sequence, limit: limit)
        for entry in entries {
            guard let owner = entry.transfer.customer else { continue }
            if owner != account {
                try close(repository)
                account = owner
                sequence = 0
                hash = LedgerChain.origin
                posted = 0
            }
            try look(at: entry, of: owner)
        }
        guard entries.count < limit else { return true }
        try close(repository)
        return false
    }

    private mutating func look(at entry: LedgerEntry, of owner: AccountID) throws {
        rows += 1
        let isIncoming = entry.transfer.to == .customer(owner)
        let (after, isTooMuch) = posted.addingReportingOverflow(
            isIncoming ? entry.transfer.amount : -entry.transfer.amount)
        let expected = try LedgerChain.hash(
            previous: hash, transfer: entry.transfer, sequence: sequence + 1, postedAfter: after)
        let isWhole =
            entry.link.sequence == sequence + 1 && entry.link.postedAfter == after && !isTooMuch
            && entry.link.hash == expected
        if !isWhole {
            tell("account \(owner): the chain breaks at transfer \(entry.link.sequence)")
        }
        // From what is stored: one changed row is one violation, not all that follow it.
        sequence = entry.link.sequence
        posted = entry.link.postedAfter
        hash = entry.link.hash
    }

    private mutating func close(_ repository: any LedgerRepository) throws {
        guard let account else { return }
        let ledger = try repository.customerLedger(account)
        let isEnd =
            ledger?.sequence == sequence && ledger?.chainHash == hash && ledger?.posted == posted
        if !isEnd {
            tell("account \(account): its row does not tell of its last transfer, \(sequence)")
        }
    }

    private mutating func tell(_ violation: String) {
        violationCount += 1
        if violations.count < Limits.auditViolationsTold { violations.append(violation) }
    }
}
