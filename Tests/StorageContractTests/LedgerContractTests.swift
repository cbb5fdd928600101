import Accounts
import Application
import Testing
import TollgateKernel

@testable import Storage

@Suite struct LedgerContractTests {
    private let owner = AccountID(rawValue: 1)

    @Test(arguments: Engine.all) func aBalanceIsSavedOverExactlyWhatWasRead(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { [owner] tx throws in
            let empty = CustomerLedger(
                account: owner, posted: 0, held: 0, sequence: 0, chainHash: digest(0))
            let full = CustomerLedger(
                account: owner, posted: 50, held: 20, sequence: 3, chainHash: digest(5),
                lastMovedAt: .after(7))
            try tx.ledger.save(full, replacing: empty)
            #expect(try tx.ledger.customerLedger(owner) == full)
            var stale = [full, full, full, full, full]
            stale[0].posted += 1
            stale[1].held -= 1
            stale[2].sequence += 1
            stale[3].chainHash = digest(6)
            stale[4].account = AccountID(rawValue: 2)
            for old in stale {
                #expect(try refused { try tx.ledger.save(empty, replacing: old) } == .conflict)
            }
            #expect(try tx.ledger.customerLedger(owner) == full)
        }
    }

    @Test(arguments: Engine.all) func noBalanceIsEverOverdrawn(_ engine: Engine) async throws {
        try await inTransaction(engine) { [owner] tx throws in
            let empty = CustomerLedger(
                account: owner, posted: 0, held: 0, sequence: 0, chainHash: digest(0))
            for (posted, held) in [(-1, 0), (0, 1), (5, -1), (5, 6)] as [(Int64, Int64)] {
                var wrong = empty
                wrong.posted = posted
                wrong.held = held
                let new = wrong
                #expect(try refused { try tx.ledger.save(new, replacing: empty) } == .constraint)
            }
            let direct = try connection(tx)
            #expect(
                try refused {
                    try direct.execute("UPDATE customer_ledgers SET posted = -5")
                } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func spendableLotsComeEarliestExpiryFirst(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { [owner] tx throws in
            try tx.accounts.insert(account(2), openID: "openid-2")
            let lots = [
                lot(1), lot(2, expiresAt: .after(30)), lot(3, expiresAt: .after(20)),
                lot(4, expiresAt: .after(20)), lot(5, expiresAt: .after(10)),
                lot(6, remaining: 40, held: 40, expiresAt: .after(20)),
                lot(7, remaining: 0, expiresAt: .after(20)),
                lot(8, of: 2, expiresAt: .after(20)), lot(9, held: 99, expiresAt: .after(20)),
            ]
            for lot in lots { try tx.ledger.insert(lot) }
            let spendable = try tx.ledger.spendableLots(of: owner, at: .after(10), limit: 100)
            #expect(spendable.map(\.id.rawValue) == [3, 4, 9, 2, 1])
            #expect(spendable[0] == lots[2])
            let two = try tx.ledger.spendableLots(of: owner, at: .after(10), limit: 2)
            #expect(two.map(\.id.rawValue) == [3, 4])
            let open = try tx.ledger.openLots(of: owner, limit: 100)
            #expect(open.map(\.id.rawValue) == [5, 3, 4, 6, 9, 2, 1])
            #expect(try tx.ledger.openLots(of: owner, limit: 1).map(\.id.rawValue) == [5])
        }
    }

    @Test(arguments: Engine.all) func expiredLotsHaveAnUnreservedRest(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            let lots = [
                lot(1), lot(2, expiresAt: .after(20)), lot(3, expiresAt: .after(10)),
                lot(4, held: 100, expiresAt: .after(5)), lot(5, held: 99, expiresAt: .after(5)),
                lot(6, remaining: 0, expiresAt: .after(5)), lot(7, expiresAt: .after(21)),
            ]
            for lot in lots { try tx.ledger.insert(lot) }
            let expired = try tx.ledger.expiredLots(at: .after(20), limit: 100)
            #expect(expired.map(\.id.rawValue) == [5, 3, 2])
            #expect(try tx.ledger.expiredLots(at: .after(20), limit: 1) == [lots[4]])
        }
    }

    @Test(arguments: Engine.all) func aLotIsSavedOverExactlyWhatWasRead(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let old = lot(1, expiresAt: .after(5))
            try tx.ledger.insert(old)
            #expect(try tx.ledger.lot(old.id) == old)
            #expect(try tx.ledger.lot(LotID(rawValue: 2)) == nil)
            var new = old
            new.remaining = 60
            new.held = 30
            try tx.ledger.save(new, replacing: old)
            #expect(try tx.ledger.lot(old.id) == new)
            let stored = new
            #expect(try refused { try tx.ledger.save(stored, replacing: old) } == .conflict)
            for (remaining, held) in [(60, 61), (101, 0), (-1, 0), (60, -1)] as [(Int64, Int64)] {
                var wrong = stored
                wrong.remaining = remaining
                wrong.held = held
                let refusedLot = wrong
                #expect(
                    try refused { try tx.ledger.save(refusedLot, replacing: stored) }
                        == .constraint)
            }
            #expect(try refused { try tx.ledger.insert(lot(2, of: 7)) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aRequestHasOneHold(_ engine: Engine) async throws {
        try await inTransaction(engine) { [owner] tx throws in
            for number in 1...3 { try tx.ledger.insert(lot(Int64(number))) }
            let first = hold(1, request: "same")
            let reservations = [3, 1, 2].map {
                LotReservation(lot: LotID(rawValue: $0), amount: $0 * 2)
            }
            try tx.ledger.insert(first, reservations: reservations)
            #expect(try tx.ledger.hold(first.id) == first)
            #expect(try tx.ledger.hold(of: owner, requestID: first.requestID) == first)
            #expect(
                try tx.ledger.hold(of: AccountID(rawValue: 2), requestID: first.requestID) == nil)
            #expect(try tx.ledger.hold(HoldID(rawValue: 9)) == nil)
            let reserved = try reservations.map { reservation in
                ReservedLot(
                    lot: try #require(try tx.ledger.lot(reservation.lot)),
                    amount: reservation.amount)
            }
            #expect(try tx.ledger.reservations(of: first.id) == reserved)
            #expect(
                try refused { try tx.ledger.insert(hold(2, request: "same"), reservations: []) }
                    == .constraint)
            let twice = [1, 1].map { LotReservation(lot: LotID(rawValue: $0), amount: 1) }
            #expect(
                try refused { try tx.ledger.insert(hold(3), reservations: twice) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aHoldOfEverySourceComesBackAsItWas(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            var trial = hold(1)
            trial.source = .trial
            trial.trialDay = ShanghaiDay(start)
            var promotion = hold(2)
            promotion.source = .promotion
            for hold in [trial, promotion] {
                try tx.ledger.insert(hold, reservations: [])
                #expect(try tx.ledger.hold(hold.id) == hold)
                #expect(try tx.ledger.reservations(of: hold.id) == [])
            }
            var dayless = hold(3)
            dayless.source = .trial
            let wrong = dayless
            #expect(
                try refused { try tx.ledger.insert(wrong, reservations: []) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aHoldEndsOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let held = hold(1)
            try tx.ledger.insert(held, reservations: [])
            var tooMuch = held
            tooMuch.state = .settled
            tooMuch.settled = Credits(micro: 11)
            tooMuch.endedAt = .after(5)
            let wrong = tooMuch
            #expect(try refused { _ = try tx.ledger.end(wrong) } == .constraint)
            var settled = tooMuch
            settled.settled = Credits(micro: 7)
            for change in Self.changes(of: settled) { #expect(try !tx.ledger.end(change)) }
            #expect(try tx.ledger.hold(held.id) == held)
            #expect(try tx.ledger.end(settled))
            #expect(try tx.ledger.hold(held.id) == settled)
            for state in [Hold.State.released, .expired, .settled] {
                var again = settled
                again.state = state
                again.settled = .zero
                let second = again
                #expect(try !tx.ledger.end(second))
            }
            #expect(try tx.ledger.hold(held.id) == settled)
            let direct = try connection(tx)
            #expect(
                try refused {
                    try direct.execute("UPDATE holds SET state = 'held', ended_at = NULL")
                } == .constraint)
        }
    }

    /// The same hold, as nobody has stored it.
    private static func changes(of hold: Hold) -> [Hold] {
        var account = hold
        account.account = AccountID(rawValue: 2)
        var source = hold
        source.source = .promotion
        var amount = hold
        amount.amount = Credits(micro: hold.amount.micro + 1)
        return [account, source, amount]
    }

    @Test(arguments: Engine.all) func aStandingIsWhatItsPartsSay(_ engine: Engine) async throws {
        try await inTransaction(engine) { [owner] tx throws in
            let today = ShanghaiDay(start)
            let (fresh, other) = (
                IdempotencyKey(rawValue: "fresh"), IdempotencyKey(rawValue: "other")
            )
            let account = try #require(try tx.accounts.account(owner))
            let ledger = try #require(try tx.ledger.customerLedger(owner))
            var expected = Standing(
                account: account, ledger: ledger, trialUsed: 0, earlier: nil)
            #expect(
                try tx.ledger.standing(of: owner, on: today, requestID: fresh) == expected)
            try tx.accounts.save(TrialDay(account: owner, day: today, used: 3))
            let held = hold(1, request: "other")
            try tx.ledger.insert(held, reservations: [])
            expected.trialUsed = 3
            #expect(
                try tx.ledger.standing(of: owner, on: today, requestID: fresh) == expected)
            expected.earlier = EarlierHold(requestHash: held.requestHash, state: .held)
            #expect(
                try tx.ledger.standing(of: owner, on: today, requestID: other) == expected)
            let nobody = AccountID(rawValue: 99)
            #expect(try tx.ledger.standing(of: nobody, on: today, requestID: other) == nil)
        }
    }

    @Test(arguments: Engine.all) func holdsWhoseTimeIsOutComeOldestFirst(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            for (number, expiry) in [(1, 30), (2, 10), (3, 20), (4, 21), (5, 20)]
                as [(Int64, Int64)]
            {
                try tx.ledger.insert(hold(number, expiresAt: .after(expiry)), reservations: [])
            }
            var ended = hold(3, expiresAt: .after(20))
            ended.state = .released
            ended.endedAt = .after(1)
            #expect(try tx.ledger.end(ended))
            let expired = try tx.ledger.expiredHolds(at: .after(20), limit: 10)
            #expect(expired.map(\.id.rawValue) == [2, 5])
            #expect(try tx.ledger.expiredHolds(at: .after(20), limit: 1).map(\.id.rawValue) == [2])
        }
    }
}
