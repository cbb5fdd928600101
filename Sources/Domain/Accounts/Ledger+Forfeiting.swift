package import TollgateKernel

extension Ledger {
    /// Takes what its person had not used off an account that is being deleted, customer → expired:
    /// one transfer a lot (key `forfeit:<lot>`), at most `limit` lots.
    ///
    /// Fen do not move: nobody has any on an account, and what was sold stays sold.
    ///
    /// - Returns: How many lots it emptied; call again while it returns `limit`.
    /// - Throws: `conflict` if a call has reserved some of it; `not_found` for an unknown account.
    ///   Nothing was written then.
    package func forfeit(from account: AccountID, limit: Int, at now: Timestamp) throws -> Int {
        var book = try book(of: account)
        guard book.ledger.held == 0, book.ledger.activity.openCalls == 0 else {
            throw Failure(
                .conflict, "A chat of the account is under way; wait for it to end.",
                retryAfterMilliseconds: Limits.concurrentChatRetryMilliseconds)
        }
        let lots = try repository.openLots(of: account, limit: limit)
        for lot in lots {
            try book.post(
                transfer(
                    .forfeit, from: .customer(account), to: .system(.expired),
                    amount: lot.remaining, key: "forfeit:\(lot.id)", reference: "lot:\(lot.id)",
                    at: now),
                in: repository)
            var emptied = lot
            emptied.remaining = 0
            try repository.save(emptied, replacing: lot)
        }
        try book.save(in: repository)
        return lots.count
    }
}
