package import TollgateKernel

extension Ledger {
    /// Ends a hold with a charge.
    ///
    /// The price, up to the hold's amount, is charged from its reserved lots in order; the rest is
    /// released, or moved to `expired` if its lot's time is out. What is above the amount goes
    /// written_off → revenue (key `overrun:<hold>`). Free and white-listed calls go promotion →
    /// revenue instead; a free call stays used. A price of zero ends the hold without a transfer,
    /// and a call under the account's own key has no other price.
    ///
    /// A hold that ended before keeps its outcome and nothing changes, but for one case: if it
    /// expired before its answer was complete, the price goes written_off → revenue, once (key
    /// `settle:<hold>`).
    ///
    /// - Parameters:
    ///   - price: not negative; read as ``Limits/creditsInOneTransfer`` if it is above.
    ///   - tokens: what the call used, for the account's limit of a minute.
    /// - Throws: `not_found` for an unknown hold.
    package func settle(
        _ hold: HoldID, price: Credits, tokens: Int64 = 0, at now: Timestamp
    ) throws -> HoldOutcome {
        try settle(known(hold), price: price, tokens: tokens, at: now)
    }

    /// Ends a hold with a charge, as the other does, for a caller who made it and still has it.
    ///
    /// As long as it is open, nothing of it is read again.
    ///
    /// The statement that ends it is guarded by what the caller has, so a hold that ended meanwhile
    /// is found out there.
    package func settle(
        _ hold: Hold, price: Credits, tokens: Int64 = 0, at now: Timestamp
    ) throws -> HoldOutcome {
        guard price.micro >= 0 else {
            throw Failure(.internalError, "A price cannot be negative.")
        }
        let micro =
            hold.source == .ownKey ? 0 : min(price.micro, Limits.creditsInOneTransfer)
        if hold.state == .held,
            let outcome = try endIfOpen(
                hold, as: .settled, price: micro, tokens: tokens, at: now)
        {
            return outcome
        }
        let hold = try known(hold.id)
        guard hold.state != .held else {
            throw StoreError.conflict("hold \(hold.id) is not what was settled")
        }
        var writtenOff: Int64 = 0
        if hold.state == .expired, micro > 0,
            try !repository.transferExists(key: settleKey(of: hold))
        {
            try writeOff(micro, of: hold, key: settleKey(of: hold), at: now)
            writtenOff = micro
        }
        return try earlierOutcome(of: hold, writtenOff: writtenOff)
    }

    /// Ends a hold without a charge; a free call is given back to its day.
    ///
    /// - Parameter state: `released` or `expired`.
    /// - Throws: `not_found` for an unknown hold.
    package func release(_ hold: HoldID, as state: Hold.State, at now: Timestamp) throws
        -> HoldOutcome
    {
        guard state == .released || state == .expired else {
            throw Failure(.internalError, "A release cannot leave a hold \(state.rawValue).")
        }
        let hold = try known(hold)
        guard hold.state == .held else { return try earlierOutcome(of: hold, writtenOff: 0) }
        return try end(hold, as: state, price: 0, tokens: 0, at: now)
    }

    /// Ends an open hold.
    ///
    /// - Throws: `conflict` if it has ended already.
    func end(
        _ hold: Hold, as state: Hold.State, price: Int64, tokens: Int64, at now: Timestamp
    ) throws -> HoldOutcome {
        guard
            let outcome = try endIfOpen(hold, as: state, price: price, tokens: tokens, at: now)
        else {
            throw StoreError.conflict("hold \(hold.id) has ended")
        }
        return outcome
    }

    /// Ends a hold, the one place where that happens; nil, and nothing changed, if it has ended
    /// already.
    private func endIfOpen(
        _ hold: Hold, as state: Hold.State, price: Int64, tokens: Int64, at now: Timestamp
    ) throws -> HoldOutcome? {
        let settled = min(price, hold.amount.micro)
        var ended = hold
        ended.state = state
        ended.settled = Credits(micro: settled)
        ended.endedAt = now
        // Guarded by the state: whoever comes second leaves here, before any money moves.
        guard try repository.end(ended) else { return nil }
        var book = try book(of: hold.account)
        book.endCall(tokens: tokens, at: now)
        switch hold.source {
        case .credits:
            try charge(settled, of: hold, book: &book, at: now)
            if let key = hold.apiKey, hold.amount > .zero {
                try repository.changeSpending(
                    of: key, heldBy: -hold.amount.micro, spentBy: settled)
            }
        case .trial where state != .settled:
            try giveTrialBack(of: hold)
        case .ownKey: break
        case .trial, .promotion:
            try chargePromotion(settled, of: hold, at: now)
        }
        try book.save(in: repository)
        let overrun = price - settled
        if overrun > 0 { try writeOff(overrun, of: hold, key: "overrun:\(hold.id)", at: now) }
        return HoldOutcome(
            state: state, charged: hold.source == .credits ? ended.settled : .zero,
            writtenOff: Credits(micro: overrun), balance: book.ledger.balance, wasOpen: true)
    }

    /// Takes a charge out of the reserved lots in order and frees the rest of the reservation.
    private func charge(
        _ settled: Int64, of hold: Hold, book: inout CustomerBook, at now: Timestamp
    ) throws {
        if settled > 0 {
            try book.post(
                transfer(
                    .usage, from: .customer(hold.account), to: .system(.revenue), amount: settled,
                    key: settleKey(of: hold), reference: "hold:\(hold.id)", at: now),
                in: repository)
        }
        guard hold.amount > .zero else { return }
        var unpaid = settled
        var reserved: Int64 = 0
        for reservation in try repository.reservations(of: hold.id) {
            let old = reservation.lot
            let taken = min(unpaid, reservation.amount)
            unpaid -= taken
            reserved += reservation.amount
            var new = old
            new.held -= reservation.amount
            new.remaining -= taken
            let freed = reservation.amount - taken
            if freed > 0, old.isExpired(at: now) {
                try expire(freed, of: &new, book: &book, at: now)
            }
            try repository.save(new, replacing: old)
        }
        guard unpaid == 0, reserved == hold.amount.micro else {
            throw StoreError.corrupt("hold \(hold.id) does not reserve its amount")
        }
        book.changeHeld(by: -hold.amount.micro)
    }

    private func chargePromotion(_ settled: Int64, of hold: Hold, at now: Timestamp) throws {
        guard settled > 0 else { return }
        try repository.insert(
            transfer(
                .promotion, from: .system(.promotion), to: .system(.revenue), amount: settled,
                key: settleKey(of: hold), reference: "hold:\(hold.id)", at: now),
            link: nil)
    }

    private func writeOff(_ amount: Int64, of hold: Hold, key: String, at now: Timestamp) throws {
        try repository.insert(
            transfer(
                .overrun, from: .system(.writtenOff), to: .system(.revenue), amount: amount,
                key: key, reference: "hold:\(hold.id)", at: now),
            link: nil)
    }

    private func giveTrialBack(of hold: Hold) throws {
        guard let day = hold.trialDay else {
            throw StoreError.corrupt("trial hold \(hold.id) has no day")
        }
        var trial = try accounts.trialDay(of: hold.account, on: day)
        trial.used -= 1
        try accounts.save(trial)
    }

    private func settleKey(of hold: Hold) -> String { "settle:\(hold.id)" }

    private func known(_ id: HoldID) throws -> Hold {
        guard let hold = try repository.hold(id) else {
            throw Failure(.notFound, "There is no such hold.")
        }
        return hold
    }

    private func earlierOutcome(of hold: Hold, writtenOff: Int64) throws -> HoldOutcome {
        HoldOutcome(
            state: hold.state, charged: hold.source == .credits ? hold.settled : .zero,
            writtenOff: Credits(micro: writtenOff),
            balance: try book(of: hold.account).ledger.balance, wasOpen: false)
    }
}
