package import TollgateKernel

extension Ledger {
    /// Reserves what a call can cost, or one of the day's free calls.
    ///
    /// - Throws: `in_progress`, `already_answered` or `mismatch` for a known request id;
    ///   `rate_limited` if the account does too much;
    ///   `quota_exhausted` if the balance is too small or the day's free calls are used up;
    ///   `not_found` for an unknown account. Nothing was written then.
    package func hold(_ request: HoldRequest, at now: Timestamp) throws -> Hold {
        if let failure = try duplicate(
            of: request.account, requestID: request.requestID, requestHash: request.requestHash)
        {
            throw failure
        }
        return try holdNew(request, from: nil, standing: nil, at: now)
    }

    /// As ``hold(_:at:)``, for a caller who knows from this transaction that the request id is new,
    /// and perhaps what else a hold looks at: on the hot path nothing is read twice.
    ///
    /// - Parameters:
    ///   - lots: What ``spendable(by:at:)`` gave in this transaction; nil reads them.
    ///   - standing: The account's, of this transaction and of the request's day, with nothing
    ///     written since; nil reads it.
    package func holdNew(
        _ request: HoldRequest, from lots: SpendableLots?, standing: Standing?, at now: Timestamp
    ) throws -> Hold {
        guard (0...Limits.creditsInOneTransfer).contains(request.amount.micro),
            request.requestHash.count == 32,
            (request.source == .trial) == (request.trialDay != nil),
            request.source != .ownKey || request.amount == .zero
        else { throw Failure(.internalError, "A hold was asked for in a form it cannot have.") }
        let hold = Hold(
            id: HoldID(rawValue: identifiers.next()), account: request.account,
            requestID: request.requestID, requestHash: request.requestHash, source: request.source,
            amount: request.amount, state: .held, settled: .zero, trialDay: request.trialDay,
            createdAt: now, expiresAt: request.expiresAt, endedAt: nil, apiKey: request.apiKey)
        var book = try standing.map { CustomerBook($0.ledger) } ?? book(of: request.account)
        if let refusal = request.limits.refusal(after: book.ledger.activity, at: now) {
            throw refusal
        }
        book.beginCall(at: now)
        var reservations: [LotReservation] = []
        switch request.source {
        case .credits:
            let lots = try lots ?? spendable(by: request.account, at: now)
            reservations = try reserve(request.amount.micro, in: lots.lots, book: &book)
            if let key = request.apiKey, request.amount > .zero {
                try repository.changeSpending(of: key, heldBy: request.amount.micro, spentBy: 0)
            }
        case .trial: try takeTrial(request, used: standing?.trialUsed)
        case .promotion, .ownKey: break
        }
        // What a call counts stands in the row that its reservation changes anyway.
        try book.save(in: repository)
        try repository.insert(hold, reservations: reservations)
        return hold
    }

    /// Reserves an amount in the account's lots, earliest expiry first.
    private func reserve(
        _ amount: Int64, in lots: [Lot], book: inout CustomerBook
    ) throws -> [LotReservation] {
        guard amount > 0 else { return [] }
        guard book.ledger.balance.micro >= amount else { throw quotaExhausted() }
        var missing = amount
        var changes: [(old: Lot, new: Lot)] = []
        for lot in lots where missing > 0 {
            let taken = min(missing, lot.remaining - lot.held)
            guard taken > 0 else { continue }
            var reserved = lot
            reserved.held += taken
            changes.append((old: lot, new: reserved))
            missing -= taken
        }
        guard missing == 0 else {
            // The balance covers it, so the rest has expired and waits for its sweep, or lies in
            // more lots than one hold may touch.
            throw lots.count < Limits.lotsOfOneHold
                ? quotaExhausted()
                : Failure(
                    .quotaExhausted,
                    "Your credits lie in too many small parts for one call; ask for a shorter "
                        + "answer."
                )
        }
        for change in changes { try repository.save(change.new, replacing: change.old) }
        book.changeHeld(by: amount)
        return changes.map { change in
            LotReservation(lot: change.new.id, amount: change.new.held - change.old.held)
        }
    }

    private func takeTrial(_ request: HoldRequest, used: Int64?) throws {
        guard let day = request.trialDay else { return }
        var trial =
            try used.map { TrialDay(account: request.account, day: day, used: $0) }
            ?? accounts.trialDay(of: request.account, on: day)
        guard trial.used < request.trialLimit else {
            throw Failure(
                .quotaExhausted, "Today's free calls are used up; buy credits to go on.")
        }
        trial.used += 1
        try accounts.save(trial)
    }

    private func quotaExhausted() -> Failure {
        Failure(.quotaExhausted, "Your credits do not cover this call; buy more to go on.")
    }
}
