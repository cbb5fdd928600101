import Accounts
import TestSupport
import Testing
import TollgateKernel

@Suite("Holds: ending")
struct SettlingTests {
    @Test func aPriceBelowTheHoldChargesItAndFreesTheRest() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(5_000))
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(150), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 120), at: bench.at(2))
        #expect(
            outcome
                == HoldOutcome(
                    state: .settled, charged: Credits(micro: 120), writtenOff: .zero,
                    balance: Credits(micro: 80), wasOpen: true))
        #expect(bench.lots == [[0, 0], [80, 0]])
        #expect(bench.balance == [80, 0])
        #expect(bench.moved(.usage) == 120)
        #expect(bench.books.holds[hold.id]?.settled == Credits(micro: 120))
        #expect(bench.books.holds[hold.id]?.endedAt == bench.at(2))
    }

    @Test func aPriceAtTheHoldChargesAllOfIt() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(100), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 100), at: bench.at(2))
        #expect(outcome.charged == Credits(micro: 100) && outcome.writtenOff == .zero)
        #expect(bench.balance == [0, 0] && bench.lots == [[0, 0]])
    }

    @Test func aPriceAboveTheHoldIsWrittenOffAndNeverTakenFromTheRest() throws {
        let bench = try Bench()
        try bench.buy(500)
        let hold = try bench.ledger.hold(bench.request(100), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 130), at: bench.at(2))
        #expect(outcome.charged == Credits(micro: 100))
        #expect(outcome.writtenOff == Credits(micro: 30))
        #expect(bench.balance == [400, 0])
        let overrun = try #require(
            bench.books.transfers.first { $0.transfer.kind == .overrun }?.transfer)
        #expect(overrun.from == .system(.writtenOff) && overrun.to == .system(.revenue))
        #expect(overrun.key == "overrun:\(hold.id)" && overrun.amount == 30)
    }

    @Test func aPriceOfNothingEndsTheHoldWithoutATransfer() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(100), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: .zero, at: bench.at(2))
        #expect(outcome.state == .settled && outcome.charged == .zero)
        #expect(bench.balance == [100, 0] && bench.lots == [[100, 0]])
        #expect(bench.books.transfers.count == 1)
    }

    @Test func whatIsFreedAfterItsExpiryMovesToExpiredAtOnce() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(100))
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(150), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 70), at: bench.at(100))
        #expect(outcome.balance == Credits(micro: 100))
        #expect(bench.lots == [[0, 0], [100, 0]])
        #expect(bench.moved(.expiry) == 30 && bench.moved(.usage) == 70)
    }

    @Test func reservedCreditsAreSpentThoughTheirLotExpiredMeanwhile() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(100))
        let hold = try bench.ledger.hold(bench.request(80), at: bench.at(1))
        _ = try bench.ledger.sweepLots(in: bench.books, at: bench.at(200), limit: 10)
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 80), at: bench.at(300))
        #expect(outcome.charged == Credits(micro: 80))
        #expect(bench.balance == [0, 0])
        #expect(bench.moved(.expiry) == 20)
    }

    @Test func aReleaseGivesEverythingBack() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        let outcome = try bench.ledger.release(hold.id, as: .released, at: bench.at(2))
        #expect(
            outcome
                == HoldOutcome(
                    state: .released, charged: .zero, writtenOff: .zero,
                    balance: Credits(micro: 100), wasOpen: true))
        #expect(bench.balance == [100, 0] && bench.lots == [[100, 0]])
    }

    @Test func aHoldEndsOnceHoweverOftenItIsEnded() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 70), at: bench.at(2))
        let writes = bench.books.writes
        for price in [70, 10, 500] {
            let again = try bench.ledger.settle(
                hold.id, price: Credits(micro: Int64(price)), at: bench.at(3))
            #expect(
                again
                    == HoldOutcome(
                        state: .settled, charged: Credits(micro: 60), writtenOff: .zero,
                        balance: Credits(micro: 40), wasOpen: false))
        }
        let released = try bench.ledger.release(hold.id, as: .released, at: bench.at(4))
        #expect(released.state == .settled && !released.wasOpen)
        #expect(bench.books.writes == writes)
    }

    @Test(arguments: [Hold.State.settled, .released, .expired])
    func aHoldThatEndedBehindItsMakersBackKeepsItsOutcome(state: Hold.State) throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        if state == .settled {
            _ = try bench.ledger.settle(hold.id, price: Credits(micro: 20), at: bench.at(2))
        } else {
            _ = try bench.ledger.release(hold.id, as: state, at: bench.at(2))
        }
        let outcome = try bench.ledger.settle(hold, price: Credits(micro: 50), at: bench.at(3))
        #expect(outcome.state == state && !outcome.wasOpen)
        #expect(outcome.charged == Credits(micro: state == .settled ? 20 : 0))
        #expect(outcome.writtenOff == Credits(micro: state == .expired ? 50 : 0))
        #expect(bench.balance == [state == .settled ? 80 : 100, 0])
    }

    @Test func aHoldThatIsNotTheStoredOneIsNotSettled() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        var other = hold
        other.amount = Credits(micro: 90)
        #expect(throws: StoreError.self) {
            try bench.ledger.settle(other, price: Credits(micro: 80), at: bench.at(2))
        }
        #expect(bench.balance == [100, 60])
    }

    @Test func settlingAReleasedHoldChangesNothing() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        _ = try bench.ledger.release(hold.id, as: .released, at: bench.at(2))
        let writes = bench.books.writes
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 50), at: bench.at(3))
        #expect(outcome.state == .released && outcome.charged == .zero && !outcome.wasOpen)
        #expect(bench.books.writes == writes)
    }

    @Test(arguments: [Hold.Source.credits, .trial, .promotion])
    func settlingAfterExpiryIsOurLossOnce(source: Hold.Source) throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(
            bench.request(60, source: source, expiresAt: 50), at: bench.at(1))
        #expect(try bench.sweepHolds(at: 49, limit: 10) == 0)
        #expect(try bench.sweepHolds(at: 50, limit: 10) == 1)
        let first = try bench.ledger.settle(hold.id, price: Credits(micro: 45), at: bench.at(51))
        #expect(first.state == .expired && first.charged == .zero)
        #expect(first.writtenOff == Credits(micro: 45) && !first.wasOpen)
        let second = try bench.ledger.settle(hold.id, price: Credits(micro: 45), at: bench.at(52))
        #expect(second.writtenOff == .zero)
        #expect(bench.balance == [100, 0])
        #expect(bench.moved(.overrun) == 45)
        #expect(bench.books.transferExists(key: "settle:\(hold.id)"))
        #expect(bench.books.holds[hold.id]?.settled == .zero)
    }

    @Test func aFreeCallIsPaidByPromotionAndStaysUsed() throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(bench.request(60, source: .trial), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 75), at: bench.at(2))
        #expect(outcome.charged == .zero && outcome.writtenOff == Credits(micro: 15))
        #expect(bench.trialUsed == 1)
        let paid = try #require(
            bench.books.transfers.first { $0.transfer.kind == .promotion }?.transfer)
        #expect(paid.from == .system(.promotion) && paid.to == .system(.revenue))
        #expect(paid.amount == 60)
        #expect(bench.books.holds[hold.id]?.settled == Credits(micro: 60))
        #expect(bench.balance == [0, 0])
    }

    @Test(arguments: [Hold.State.released, .expired])
    func aFailedFreeCallIsGivenBackToItsDay(state: Hold.State) throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(bench.request(60, source: .trial), at: bench.at(1))
        #expect(bench.trialUsed == 1)
        // Released on another day: it goes back to the day it was taken from.
        _ = try bench.ledger.release(hold.id, as: state, at: bench.at(86_400))
        #expect(bench.trialUsed == 0)
        _ = try bench.ledger.release(hold.id, as: state, at: bench.at(86_400))
        #expect(bench.trialUsed == 0)
    }

    @Test func aWhiteListedCallIsPaidByPromotion() throws {
        let bench = try Bench()
        let hold = try bench.ledger.hold(bench.request(60, source: .promotion), at: bench.at(1))
        let outcome = try bench.ledger.settle(hold.id, price: Credits(micro: 40), at: bench.at(2))
        #expect(outcome.charged == .zero)
        #expect(bench.moved(.promotion) == 40 && bench.balance == [0, 0])
    }

    @Test func anAbsurdPriceIsCapped() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        let outcome = try bench.ledger.settle(
            hold.id, price: Credits(micro: .max), at: bench.at(2))
        #expect(outcome.charged == Credits(micro: 60))
        #expect(outcome.writtenOff == Credits(micro: Limits.creditsInOneTransfer - 60))
    }

    @Test func whatCannotBeIsRefused() throws {
        let bench = try Bench()
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        let unknown = HoldID(rawValue: 99_999)
        #expect(
            bench.refusal { try bench.ledger.settle(unknown, price: .zero, at: bench.at(2)) }
                == .notFound)
        #expect(
            bench.refusal { try bench.ledger.release(unknown, as: .released, at: bench.at(2)) }
                == .notFound)
        #expect(
            bench.refusal {
                try bench.ledger.settle(hold.id, price: Credits(micro: -1), at: bench.at(2))
            } == .internalError)
        for state in [Hold.State.held, .settled] {
            #expect(
                bench.refusal { try bench.ledger.release(hold.id, as: state, at: bench.at(2)) }
                    == .internalError)
        }
    }

    @Test func theSweepEndsTheOldestHoldsUpToItsLimit() throws {
        let bench = try Bench()
        try bench.buy(100)
        let late = try bench.ledger.hold(bench.request(10, expiresAt: 30), at: bench.at(1))
        let early = try bench.ledger.hold(bench.request(10, expiresAt: 20), at: bench.at(1))
        let open = try bench.ledger.hold(bench.request(10, expiresAt: 90), at: bench.at(1))
        #expect(try bench.sweepHolds(at: 40, limit: 1) == 1)
        #expect(bench.books.holds[early.id]?.state == .expired)
        #expect(bench.books.holds[late.id]?.state == .held)
        #expect(try bench.sweepHolds(at: 40, limit: 5) == 1)
        #expect(bench.books.holds[open.id]?.state == .held)
        #expect(bench.balance == [100, 10])
    }
}
