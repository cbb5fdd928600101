package import TollgateKernel

extension Ledger {
    /// Takes credits off an account by an operator's decision, customer → issued: from what its
    /// lots have unreserved, earliest expiry first.
    ///
    /// Returns false, and nothing changed, if `key` exists.
    ///
    /// - Throws: `conflict` if the account has less than `amount` that no call has reserved;
    ///   `not_found` for an unknown account. Nothing was written then.
    package func takeBack(
        _ amount: Credits, from account: AccountID, key: String, reference: String,
        at now: Timestamp
    ) throws -> Bool {
        try check(amount: amount.micro, key: key, reference: reference)
        guard try !repository.transferExists(key: key) else { return false }
        var book = try book(of: account)
        let spendable = try spendable(by: account, at: now)
        guard spendable.credits >= amount else {
            throw Failure(
                .conflict,
                spendable.lots.count < Limits.lotsOfOneHold
                    ? "The account has only \(spendable.credits) credits that no call has reserved."
                    : "The account's credits lie in many small parts; take less at a time.")
        }
        try book.post(
            transfer(
                .adjustment, from: .customer(account), to: .system(.issued), amount: amount.micro,
                key: key, reference: reference, at: now),
            in: repository)
        var missing = amount.micro
        for lot in spendable.lots where missing > 0 {
            let taken = min(missing, lot.remaining - lot.held)
            var emptied = lot
            emptied.remaining -= taken
            missing -= taken
            try repository.save(emptied, replacing: lot)
        }
        try book.save(in: repository)
        return true
    }
}
