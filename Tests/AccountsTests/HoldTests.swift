import Accounts
import Testing
import TollgateKernel

@Suite("Holds: reserving")
struct HoldTests {
    @Test func aHoldReservesTheEarliestExpiryFirst() throws {
        let bench = try Bench()
        try bench.buy(100)
        try bench.buy(100, expiresAt: bench.at(2_000))
        try bench.buy(100, expiresAt: bench.at(1_000))
        let hold = try bench.ledger.hold(bench.request(250), at: bench.at(1))
        #expect(bench.lots == [[100, 50], [100, 100], [100, 100]])
        #expect(bench.balance == [300, 250])
        let amounts = bench.books.reservations(of: hold.id).map(\.amount)
        #expect(amounts == [100, 100, 50])
        #expect(hold.state == .held && hold.createdAt == bench.at(1))
        #expect(hold.settled == .zero && hold.endedAt == nil)
    }

    @Test func aHoldAboveTheBalanceIsRefused() throws {
        let bench = try Bench()
        try bench.buy(100)
        #expect(
            bench.refusal { try bench.ledger.hold(bench.request(101), at: bench.at(1)) }
                == .quotaExhausted)
        _ = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        #expect(
            bench.refusal { try bench.ledger.hold(bench.request(41), at: bench.at(1)) }
                == .quotaExhausted)
        _ = try bench.ledger.hold(bench.request(40), at: bench.at(1))
        #expect(bench.balance == [100, 100])
    }

    @Test func expiredCreditsAreNotReservedThoughTheSweepHasNotComeYet() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(10))
        try bench.buy(30)
        #expect(
            bench.refusal { try bench.ledger.hold(bench.request(31), at: bench.at(10)) }
                == .quotaExhausted)
        _ = try bench.ledger.hold(bench.request(30), at: bench.at(10))
        #expect(bench.lots == [[100, 0], [30, 30]])
    }

    @Test func oneHoldTouchesABoundedNumberOfLots() throws {
        let bench = try Bench()
        for _ in 0..<(Limits.lotsOfOneHold + 1) { try bench.buy(10) }
        let most = Int64(Limits.lotsOfOneHold) * 10
        #expect(
            try bench.ledger.spendable(by: bench.account, at: bench.at(1)).credits
                == Credits(micro: most))
        #expect(
            bench.refusal { try bench.ledger.hold(bench.request(most + 1), at: bench.at(1)) }
                == .quotaExhausted)
        let hold = try bench.ledger.hold(bench.request(most), at: bench.at(1))
        #expect(bench.books.reservations(of: hold.id).count == Limits.lotsOfOneHold)
        // The next hold reaches what lies behind.
        _ = try bench.ledger.hold(bench.request(10), at: bench.at(1))
    }

    @Test func aKnownRequestIDIsAnsweredByWhatBecameOfIt() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(10, id: "a"), at: bench.at(1))
        let again = { try bench.ledger.hold(bench.request(10, id: "a"), at: bench.at(1)) }
        #expect(bench.refusal(again) == .inProgress)
        #expect(
            bench.refusal {
                try bench.ledger.hold(bench.request(10, id: "a", content: 8), at: bench.at(1))
            } == .mismatch)
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 5), at: bench.at(2))
        #expect(bench.refusal(again) == .alreadyAnswered)
        #expect(
            bench.refusal {
                try bench.ledger.hold(bench.request(10, id: "a", content: 8), at: bench.at(1))
            } == .mismatch)
        #expect(bench.balance == [95, 0])
    }

    @Test(arguments: [Hold.State.released, .expired])
    func aRequestThatEndedWithoutAChargeIsNotRunAgain(state: Hold.State) throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(10, id: "a"), at: bench.at(1))
        _ = try bench.ledger.release(hold.id, as: state, at: bench.at(2))
        #expect(
            bench.refusal { try bench.ledger.hold(bench.request(10, id: "a"), at: bench.at(3)) }
                == .alreadyAnswered)
    }

    @Test func aRequestIDBelongsToItsAccount() throws {
        let bench = try Bench()
        try bench.buy(100)
        _ = try bench.ledger.hold(bench.request(10, id: "a"), at: bench.at(1))
        let other = AccountID(rawValue: 2_000)
        let failure = try bench.ledger.duplicate(
            of: other, requestID: IdempotencyKey(rawValue: "a"),
            requestHash: [UInt8](repeating: 7, count: 32))
        #expect(failure == nil)
    }

    @Test func inProgressSaysHowLongToWait() throws {
        let bench = try Bench()
        try bench.buy(100)
        let request = bench.request(10, id: "a")
        _ = try bench.ledger.hold(request, at: bench.at(1))
        let failure = try bench.ledger.duplicate(
            of: bench.account, requestID: request.requestID, requestHash: request.requestHash)
        #expect(failure?.code == .inProgress)
        #expect(failure?.retryAfterMilliseconds == Limits.inProgressRetryMilliseconds)
    }

    @Test func aDayHasSoManyFreeCallsAndNoMore() throws {
        let bench = try Bench()
        for used in 1...3 {
            let hold = try bench.ledger.hold(
                bench.request(10, source: .trial, trialLimit: 3), at: bench.at(1))
            #expect(hold.trialDay == ShanghaiDay(bench.at(0)))
            #expect(bench.trialUsed == Int64(used))
        }
        #expect(
            bench.refusal {
                try bench.ledger.hold(
                    bench.request(10, source: .trial, trialLimit: 3), at: bench.at(1))
            } == .quotaExhausted)
        #expect(bench.balance == [0, 0])
    }

    @Test func aWhiteListedCallReservesNothing() throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(bench.request(10, source: .promotion), at: bench.at(1))
        #expect(bench.balance == [0, 0])
        #expect(bench.books.reservations(of: hold.id).isEmpty)
    }

    @Test func aCallUnderOnesOwnKeyReservesNothingAndMovesNothing() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(0, source: .ownKey), at: bench.at(1))
        #expect(bench.balance == [100, 0])
        #expect(bench.books.reservations(of: hold.id).isEmpty)
        let transfers = bench.books.transfers.count
        // Whatever price it is ended with.
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 40), at: bench.at(2))
        #expect(outcome.state == .settled && outcome.charged == .zero)
        #expect(outcome.writtenOff == .zero)
        #expect(bench.balance == [100, 0] && bench.books.transfers.count == transfers)
        #expect(
            bench.refusal {
                try bench.ledger.hold(bench.request(1, source: .ownKey), at: bench.at(3))
            }
                == .internalError)
    }

    @Test func anAnswerUnderOnesOwnKeyAfterItsHoldsExpiryIsNobodysLoss() throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(
            bench.request(0, source: .ownKey, expiresAt: 50), at: bench.at(1))
        #expect(try bench.sweepHolds(at: 50, limit: 10) == 1)
        let late = try bench.ledger.settle(hold.id, price: Credits(micro: 45), at: bench.at(51))
        #expect(late.state == .expired && late.writtenOff == .zero)
        #expect(bench.books.transfers.isEmpty)
    }

    @Test func aFreeModelNeedsNoBalance() throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(bench.request(0), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: .zero, at: bench.at(2))
        #expect(outcome.state == .settled && outcome.charged == .zero)
        #expect(bench.books.transfers.isEmpty)
    }

    @Test func aHoldInAnImpossibleFormIsADefect() throws {
        let bench = try Bench()
        try bench.buy(100)
        var withoutDay = bench.request(1, source: .trial)
        withoutDay.trialDay = nil
        var withDay = bench.request(1)
        withDay.trialDay = ShanghaiDay(bench.at(0))
        var shortHash = bench.request(1)
        shortHash.requestHash = [1]
        for request in [
            withoutDay, withDay, shortHash, bench.request(-1),
            bench.request(Limits.creditsInOneTransfer + 1),
        ] {
            #expect(
                bench.refusal { try bench.ledger.hold(request, at: bench.at(1)) } == .internalError)
        }
    }

    @Test func anUnknownAccountHasNothingToReserve() throws {
        let bench = try Bench()
        var request = bench.request(1)
        request.account = AccountID(rawValue: 5)
        #expect(bench.refusal { try bench.ledger.hold(request, at: bench.at(1)) } == .notFound)
    }

    @Test func theHotPathAsksTheStoreNoMoreThanItNeeds() throws {
        let bench = try Bench()
        try bench.buy(1_000)
        var before = bench.books.calls
        let hold = try bench.ledger.hold(bench.request(100), at: bench.at(1))
        // Request id, balance, lots; lot, balance and hold stored.
        #expect(bench.books.calls - before == 6)
        before = bench.books.calls
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 50), at: bench.at(2))
        // Hold, balance, reservations with their lots; hold, transfer, lot and balance stored.
        #expect(bench.books.calls - before == 7)
        let known = try bench.ledger.hold(bench.request(100), at: bench.at(3))
        before = bench.books.calls
        _ = try bench.ledger.settle(known, price: Credits(micro: 50), at: bench.at(4))
        #expect(bench.books.calls - before == 6, "who has the hold does not read it")
    }

    @Test(
        arguments: [
            (true, Int64(0), Int64(1), Hold.Source.promotion), (true, 1, 1, .promotion),
            (false, 0, 1, .trial), (false, 1, 1, .credits), (false, 0, 0, .credits),
            (false, 5, 3, .credits),
        ])
    func oneSourcePaysForACall(
        isWhiteListed: Bool, used: Int64, limit: Int64, source: Hold.Source
    ) {
        #expect(
            Hold.Source.paying(isWhiteListed: isWhiteListed, trialUsed: used, trialLimit: limit)
                == source)
        #expect(
            Hold.Source.paying(
                hasOwnKey: true, isWhiteListed: isWhiteListed, trialUsed: used, trialLimit: limit)
                == .ownKey)
    }
}
