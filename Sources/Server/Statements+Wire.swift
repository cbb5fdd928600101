internal import Accounts
internal import Application
internal import TollgateKernel
internal import TollgateWire

extension ShanghaiMonth {
    /// The month that a request names; nil if it names none.
    ///
    /// - Throws: `invalid_request` for what is no month.
    init?(asked text: String) throws(Failure) {
        if text.isEmpty { return nil }
        guard let month = ShanghaiMonth(text: text) else {
            throw Failure(.invalidRequest, "A month is written as 2026-11.")
        }
        self = month
    }
}

extension AccountQueries {
    /// A page of an account's movements as requests ask for it, and where the next one starts; 0
    /// when this is the last.
    ///
    /// - Throws: `invalid_request` for a page of another size than 1 to 200.
    func page(
        of account: AccountID, limit asked: Int64, before high: Int64, after low: Int64
    ) async throws -> (entries: [V1.LedgerEntry], next: Int64) {
        let limit = try pageSize(asked, default: 50, most: 200)
        let low = max(low, 0)
        let entries = try await ledger(
            of: account, after: low, before: high > 0 ? high : nil, limit: limit)
        let next = entries.count == limit ? entries.last?.link.sequence ?? 0 : 0
        return (
            entries: entries.map { V1.LedgerEntry($0, of: account) },
            next: next > low + 1 ? next : 0
        )
    }
}

extension V1.LedgerEntry {
    fileprivate init(_ entry: LedgerEntry, of account: AccountID) {
        let leaves = entry.transfer.from == .customer(account)
        self.init(
            sequence: entry.link.sequence, kind: entry.transfer.kind.rawValue,
            amountMicroCredits: leaves ? -entry.transfer.amount : entry.transfer.amount,
            postedAfterMicroCredits: entry.link.postedAfter, reference: entry.transfer.reference,
            atMilliseconds: entry.transfer.at.milliseconds)
    }
}

extension V1.Statement {
    /// A statement on the wire.
    init(_ statement: Statement) {
        self.init(
            accountId: statement.account.description, month: statement.month.description,
            fromMilliseconds: statement.month.start.milliseconds,
            untilMilliseconds: statement.month.end.milliseconds,
            openingMicroCredits: statement.opening, creditedMicroCredits: statement.credited,
            debitedMicroCredits: statement.debited, closingMicroCredits: statement.closing,
            movements: Int64(statement.places.count),
            totals: statement.totals.map { total in
                V1.MovementTotal(
                    kind: total.kind.rawValue, count: total.count,
                    creditedMicroCredits: total.credited, debitedMicroCredits: total.debited)
            },
            afterSequence: statement.places.lowerBound - 1,
            beforeSequence: statement.places.upperBound, running: statement.open != nil,
            heldMicroCredits: statement.open?.held ?? 0, openCalls: statement.open?.calls ?? 0,
            trialUsedCalls: statement.trialCalls)
    }
}
