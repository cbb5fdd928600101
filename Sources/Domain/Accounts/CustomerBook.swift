internal import TollgateKernel

/// One customer's balance while a rule changes it: transfers are chained one after the other, and
/// the row is stored once at the end, guarded by what was read.
struct CustomerBook {
    private let stored: CustomerLedger
    private(set) var ledger: CustomerLedger

    init(_ stored: CustomerLedger) {
        self.stored = stored
        self.ledger = stored
    }

    /// Reserves (or, negative, gives back) credits without moving them.
    mutating func changeHeld(by amount: Int64) { ledger.held += amount }

    /// Counts a call that begins.
    mutating func beginCall(at now: Timestamp) {
        ledger.activity.openCalls += 1
        ledger.activity.requests.add(at: now)
    }

    /// Counts a call that ends, with the tokens it used.
    mutating func endCall(tokens: Int64, at now: Timestamp) {
        ledger.activity.openCalls -= 1
        if tokens > 0 { ledger.activity.tokens.add(tokens, at: now) }
    }

    /// Moves the transfer's amount in or out, and adds it with its place in the chain.
    ///
    /// A clock that stepped back does not show in a history: a movement is no earlier than the one
    /// before it, so that what lies before a moment is a beginning of the history.
    mutating func post(_ planned: Transfer, in repository: any LedgerRepository) throws {
        var transfer = planned
        transfer.at = max(planned.at, ledger.lastMovedAt)
        let incoming = transfer.to == .customer(ledger.account)
        let (posted, overflow) = ledger.posted.addingReportingOverflow(
            incoming ? transfer.amount : -transfer.amount)
        guard !overflow else {
            throw Failure(.conflict, "The account holds more credits than can be counted.")
        }
        let sequence = ledger.sequence + 1
        let hash = try LedgerChain.hash(
            previous: ledger.chainHash, transfer: transfer, sequence: sequence, postedAfter: posted)
        try repository.insert(
            transfer, link: ChainLink(sequence: sequence, hash: hash, postedAfter: posted))
        ledger.posted = posted
        ledger.sequence = sequence
        ledger.chainHash = hash
        ledger.lastMovedAt = transfer.at
    }

    /// Stores the row, if anything changed.
    func save(in repository: any LedgerRepository) throws {
        guard ledger != stored else { return }
        try repository.save(ledger, replacing: stored)
    }
}
