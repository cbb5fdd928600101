package import TollgateKernel

/// The rules of money, over the repositories' primitives, inside one transaction.
///
/// Every change is a transfer between two accounts in one unit; what makes it happen once is its
/// key. A rule refuses with a ``Failure`` before it writes anything; a ``StoreError`` after that
/// undoes the whole transaction.
package struct Ledger {
    let repository: any LedgerRepository
    let accounts: any AccountRepository
    let identifiers: any IdentifierGenerator

    /// Makes the rules over one transaction's repositories.
    package init(
        _ repository: any LedgerRepository, accounts: any AccountRepository,
        identifiers: any IdentifierGenerator
    ) {
        self.repository = repository
        self.accounts = accounts
        self.identifiers = identifiers
    }

    /// Puts credits on an account as a new lot; false, and nothing changed, if `key` exists.
    ///
    /// - Parameters:
    ///   - amount: 1 micro-credit to ``Limits/creditsInOneTransfer``.
    ///   - kind: `welcome` and `adjustment` may come from `promotion`, `purchase` and `adjustment`
    ///     from `issued`.
    ///   - key: what makes it happen once, at most ``Limits/transferKeyBytes``.
    /// - Throws: `not_found` for an unknown account.
    package func grant(
        _ amount: Credits, to account: AccountID, kind: Transfer.Kind, from: SystemAccount,
        key: String, origin: Lot.Origin, order: OrderID?, reference: String, expiresAt: Timestamp?,
        at now: Timestamp
    ) throws -> Bool {
        switch (kind, from) {
        case (.welcome, .promotion), (.adjustment, .promotion), (.purchase, .issued),
            (.adjustment, .issued):
            break
        default:
            throw Failure(.internalError, "No \(kind.rawValue) comes from \(from.rawValue).")
        }
        try check(amount: amount.micro, key: key, reference: reference)
        guard try !repository.transferExists(key: key) else { return false }
        var book = try book(of: account)
        let lot = Lot(
            id: LotID(rawValue: identifiers.next()), account: account, origin: origin, order: order,
            granted: amount.micro, remaining: amount.micro, held: 0, expiresAt: expiresAt)
        try book.post(
            transfer(
                kind, from: .system(from), to: .customer(account), amount: amount.micro, key: key,
                reference: reference, at: now),
            in: repository)
        try repository.insert(lot)
        try book.save(in: repository)
        return true
    }

    /// What received money is.
    package enum PaymentPurpose: Hashable, Sendable {
        /// The price of an order: wechat_clearing → sales.
        case sale
        /// Money that buys nothing (a wrong amount, a second payment, an unknown order) and has to
        /// go back: wechat_clearing → refunds.
        case owedBack
    }

    /// Records money received; false, and nothing changed, if `key` exists.
    package func recordPayment(
        _ total: Money, as purpose: PaymentPurpose, key: String, reference: String,
        at now: Timestamp
    ) throws -> Bool {
        try move(
            total, .payment, from: .wechatClearing, to: purpose == .sale ? .sales : .refunds,
            key: key, reference: reference, at: now)
    }

    /// What ``recordPayment(_:as:key:reference:at:)`` has recorded under a key; nil if nothing.
    package func recordedPayment(key: String) throws -> Money? {
        try repository.transferAmount(key: key).map { Money(fen: $0) }
    }

    /// Makes money that was owed back the price of its order after all, refunds → sales.
    ///
    /// Returns false, and nothing changed, if `key` exists.
    package func acceptOwedPayment(
        _ total: Money, key: String, reference: String, at now: Timestamp
    ) throws -> Bool {
        try move(
            total, .adjustment, from: .refunds, to: .sales, key: key, reference: reference,
            at: now)
    }

    /// Moves fen between two of our own accounts, once for a key.
    private func move(
        _ total: Money, _ kind: Transfer.Kind, from: SystemAccount, to: SystemAccount,
        key: String, reference: String, at now: Timestamp
    ) throws -> Bool {
        try check(amount: total.fen, key: key, reference: reference)
        guard try !repository.transferExists(key: key) else { return false }
        var movement = transfer(
            kind, from: .system(from), to: .system(to), amount: total.fen, key: key,
            reference: reference, at: now)
        movement.unit = .fen
        try repository.insert(movement, link: nil)
        return true
    }

    /// The failure to answer a request id with that was used before; nil if it is new.
    ///
    /// The same request still running is `in_progress`, ended in any way `already_answered` (the
    /// upstream is never asked twice for one id); the id with other content is `mismatch`.
    package func duplicate(
        of account: AccountID, requestID: IdempotencyKey, requestHash: [UInt8]
    ) throws -> Failure? {
        guard let hold = try repository.hold(of: account, requestID: requestID) else { return nil }
        return Self.repeated(
            EarlierHold(requestHash: hold.requestHash, state: hold.state),
            requestHash: requestHash)
    }

    /// What the maker of a request is told whose id made a hold before.
    package static func repeated(_ earlier: EarlierHold, requestHash: [UInt8]) -> Failure {
        guard earlier.requestHash == requestHash else {
            return Failure(
                .mismatch,
                "This request id was used for another question; choose a new one for each question."
            )
        }
        switch earlier.state {
        case .held:
            return Failure(
                .inProgress, "This request is being answered; wait for its answer.",
                retryAfterMilliseconds: Limits.inProgressRetryMilliseconds)
        case .settled:
            return Failure(
                .alreadyAnswered,
                "This request was answered before; choose a new request id to ask again.")
        case .released, .expired:
            return Failure(
                .alreadyAnswered,
                "This request ended without a charge; choose a new request id to ask again.")
        }
    }

    /// What one new hold can reserve at `now`: the balance without what has expired since the last
    /// sweep, over the lots one hold may touch.
    package func spendable(by account: AccountID, at now: Timestamp) throws -> SpendableLots {
        SpendableLots(
            lots: try repository.spendableLots(of: account, at: now, limit: Limits.lotsOfOneHold))
    }

    /// Moves what expired unreserved of one lot to `expired`.
    ///
    /// Returns false if its time is not out, or nothing unreserved is left of it.
    package func expireLot(_ id: LotID, at now: Timestamp) throws -> Bool {
        guard let lot = try repository.lot(id), let end = lot.expiresAt, end <= now,
            lot.remaining > lot.held
        else { return false }
        var book = try book(of: lot.account)
        var emptied = lot
        try expire(lot.remaining - lot.held, of: &emptied, book: &book, at: now)
        try repository.save(emptied, replacing: lot)
        try book.save(in: repository)
        return true
    }
}

/// The lots one new hold may touch, earliest expiry first, as its transaction has read them.
package struct SpendableLots: Hashable, Sendable {
    let lots: [Lot]

    /// What they have unreserved.
    package var credits: Credits {
        Credits(micro: lots.reduce(0) { $0 + $1.remaining - $1.held })
    }
}

extension Ledger {
    /// The balance of an account that must exist.
    func book(of account: AccountID) throws -> CustomerBook {
        guard let ledger = try repository.customerLedger(account) else {
            throw Failure(.notFound, "There is no such account.")
        }
        return CustomerBook(ledger)
    }

    /// A transfer of micro-credits with a fresh id.
    func transfer(
        _ kind: Transfer.Kind, from: LedgerAccount, to: LedgerAccount, amount: Int64, key: String,
        reference: String, at now: Timestamp
    ) -> Transfer {
        Transfer(
            id: TransferID(rawValue: identifiers.next()), key: key, kind: kind,
            unit: .microCredits, from: from, to: to, amount: amount, reference: reference, at: now)
    }

    /// Takes an expired, unreserved part of a lot off its owner.
    ///
    /// The key holds what was left before: that only ever falls, so a lot can lose parts several
    /// times (one hold after the other ends late) and no part twice, whatever the clock does.
    func expire(
        _ amount: Int64, of lot: inout Lot, book: inout CustomerBook, at now: Timestamp
    ) throws {
        try book.post(
            transfer(
                .expiry, from: .customer(lot.account), to: .system(.expired), amount: amount,
                key: "expiry:\(lot.id):\(lot.remaining)", reference: "lot:\(lot.id)", at: now),
            in: repository)
        lot.remaining -= amount
    }

    func check(amount: Int64, key: String, reference: String) throws(Failure) {
        guard (1...Limits.creditsInOneTransfer).contains(amount) else {
            throw Failure(.invalidRequest, "The amount must be positive and no more than 10^15.")
        }
        guard (1...Limits.transferKeyBytes).contains(key.utf8.count),
            reference.utf8.count <= Limits.transferReferenceBytes
        else { throw Failure(.internalError, "A transfer's key or reference is too long.") }
    }
}

extension Lot {
    /// Whether its time is out; the moment of expiry itself is out.
    package func isExpired(at now: Timestamp) -> Bool {
        guard let expiresAt else { return false }
        return expiresAt <= now
    }
}
