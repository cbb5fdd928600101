package import TollgateKernel

/// Adds up a month of a customer's history in slices, so that no reader is kept for long however
/// much moved.
///
/// What can still change (the balance, what is open, where the history ends) is read when it is
/// made, in one transaction. The movements between the two cuts stand for ever, so that slices may
/// be read in later ones, and the whole is the state of the first.
package struct MonthlySum: Hashable, Sendable {
    private let account: AccountID
    private let month: ShanghaiMonth
    private let places: Range<Int64>
    private let opening: Int64
    private let closing: Int64
    private let trialCalls: Int64
    private let open: OpenReservations?
    private var next: Int64
    private var totals: [Transfer.Kind: MovementTotal] = [:]

    /// Finds the month in the history: about 2 × log2 of the history's length look-ups by its key,
    /// none where the month ends with the history.
    ///
    /// - Throws: `not_found` for an unknown account, `invalid_request` for a month that has not
    ///   begun at `now`, ``StatementMismatch`` if the history has a hole or the balance's row does
    ///   not tell of its end.
    package init(
        of account: AccountID, for month: ShanghaiMonth, at now: Timestamp,
        ledgers: any LedgerRepository, accounts: any AccountRepository
    ) throws {
        guard month.start <= now else {
            throw Failure(.invalidRequest, "\(month) has not begun; ask for a month until now.")
        }
        guard let ledger = try ledgers.customerLedger(account) else {
            throw Failure(.notFound, "There is no such account.")
        }
        let history = History(ledger: ledger, repository: ledgers)
        let first = try history.firstPlace(reaching: month.start, from: 1)
        places = first..<(try history.firstPlace(reaching: month.end, from: first))
        opening = try history.posted(after: places.lowerBound - 1)
        closing = try history.posted(after: places.upperBound - 1)
        trialCalls = try accounts.trialCalls(
            of: account, from: month.firstDay, until: month.next.firstDay)
        open =
            month.end > now
            ? OpenReservations(held: ledger.held, calls: ledger.activity.openCalls) : nil
        self.account = account
        self.month = month
        next = places.lowerBound
    }

    /// Whether every movement was added.
    package var isComplete: Bool { next == places.upperBound }

    /// Adds the next movements, at most `limit` and ``Limits/statementSliceRows``.
    ///
    /// - Throws: ``StatementMismatch`` if one of them is missing.
    package mutating func step(_ ledgers: any LedgerRepository, limit: Int) throws {
        guard !isComplete, limit > 0 else { return }
        let most = Int64(min(limit, Limits.statementSliceRows))
        let slice = next..<next + min(places.upperBound - next, most)
        var count: Int64 = 0
        for part in try ledgers.totals(of: account, in: slice) {
            var total =
                totals[part.kind]
                ?? MovementTotal(kind: part.kind, count: 0, credited: 0, debited: 0)
            total.count += part.count
            total.credited = try sum(total.credited, part.credited)
            total.debited = try sum(total.debited, part.debited)
            totals[part.kind] = total
            count += part.count
        }
        guard count == slice.upperBound - slice.lowerBound else {
            throw mismatch(
                "of the movements \(slice.lowerBound) to \(slice.upperBound - 1) it has \(count)")
        }
        next = slice.upperBound
    }

    /// The statement, once everything was added.
    ///
    /// - Throws: ``StatementMismatch`` if what was there and what moved is not what is left.
    package func statement() throws -> Statement {
        precondition(isComplete, "A month is told when all of it was added.")
        let kinds = Transfer.Kind.allCases.compactMap { totals[$0] }
        var credited: Int64 = 0
        var debited: Int64 = 0
        for total in kinds {
            credited = try sum(credited, total.credited)
            debited = try sum(debited, total.debited)
        }
        let (change, isTooMuch) = credited.subtractingReportingOverflow(debited)
        let (computed, isTooMuchLeft) = opening.addingReportingOverflow(change)
        guard !isTooMuch, !isTooMuchLeft, computed == closing else {
            throw mismatch(
                "\(opening) + \(credited) - \(debited) is not \(closing) micro-credits")
        }
        return Statement(
            account: account, month: month, places: places, opening: opening, closing: closing,
            totals: kinds, trialCalls: trialCalls, open: open)
    }

    private func sum(_ left: Int64, _ right: Int64) throws -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        guard !overflow else {
            throw Failure(.conflict, "More credits moved in this month than can be counted.")
        }
        return sum
    }

    private func mismatch(_ what: String) -> StatementMismatch {
        StatementMismatch(summary: "The statement of \(account) for \(month): \(what).")
    }
}

/// A customer's history, as one transaction sees it.
private struct History {
    let ledger: CustomerLedger
    let repository: any LedgerRepository

    /// The first place from `first` on at which the history had reached a moment; the one after its
    /// end if it has not.
    ///
    /// What a history has reached never falls from place to place: so halving finds it.
    func firstPlace(reaching moment: Timestamp, from first: Int64) throws -> Int64 {
        guard first <= ledger.sequence, ledger.lastMovedAt >= moment else {
            return ledger.sequence + 1
        }
        var low = first
        var high = ledger.sequence
        while low < high {
            let middle = low + (high - low) / 2
            if try place(middle).reachedAt >= moment {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }

    /// Credits after the movement at a place; none before the first.
    func posted(after sequence: Int64) throws -> Int64 {
        let posted = sequence == 0 ? 0 : try place(sequence).postedAfter
        guard sequence != ledger.sequence || posted == ledger.posted else {
            throw StatementMismatch(
                summary: "Account \(ledger.account) has \(ledger.posted) micro-credits, and "
                    + "\(posted) after its last movement, \(sequence).")
        }
        return posted
    }

    private func place(_ sequence: Int64) throws -> HistoryPlace {
        guard let place = try repository.place(sequence, of: ledger.account) else {
            throw StatementMismatch(
                summary: "The history of account \(ledger.account) has no movement \(sequence).")
        }
        return place
    }
}
