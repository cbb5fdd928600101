import Accounts
import TestSupport
import Testing
import TollgateKernel

@Suite("Grants, payments and expiry")
struct GrantTests {
    @Test func aGrantMakesALotATransferAndALink() throws {
        let bench = try Bench()
        let done = try bench.ledger.grant(
            Credits(micro: 500), to: bench.account, kind: .welcome, from: .promotion,
            key: "welcome:ab", origin: .welcome, order: nil, reference: "welcome",
            expiresAt: bench.at(100), at: bench.at(5))
        #expect(done)
        #expect(bench.balance == [500, 0])
        let lot = try #require(bench.books.lots.values.first)
        #expect(lot.origin == .welcome)
        #expect(lot.granted == 500 && lot.remaining == 500 && lot.held == 0)
        #expect(lot.expiresAt == bench.at(100))
        let entry = try #require(
            bench.books.entries(of: bench.account, after: 0, before: nil, limit: 9).first)
        #expect(entry.transfer.from == .system(.promotion))
        #expect(entry.transfer.to == .customer(bench.account))
        #expect(entry.transfer.unit == .microCredits)
        #expect(entry.transfer.at == bench.at(5))
        #expect(entry.link.sequence == 1 && entry.link.postedAfter == 500)
        #expect(bench.books.ledgers[bench.account]?.chainHash == entry.link.hash)
    }

    @Test func aClockThatStepsBackDoesNotShowInAHistory() throws {
        let bench = try Bench()
        for (place, second) in [50, 20, 50, 49, 60].enumerated() as EnumeratedSequence<[Int64]> {
            #expect(
                try bench.ledger.grant(
                    Credits(micro: 5), to: bench.account, kind: .adjustment, from: .promotion,
                    key: "key:\(place)", origin: .adjustment, order: nil, reference: "test",
                    expiresAt: nil, at: bench.at(second)))
        }
        let history = bench.books.entries(of: bench.account, after: 0, before: nil, limit: 9)
        #expect(
            history.reversed().map(\.transfer.at) == [50, 50, 50, 50, 60].map { bench.at($0) })
        #expect(bench.books.ledgers[bench.account]?.lastMovedAt == bench.at(60))
    }

    @Test func aKeyGrantsOnceForEver() throws {
        let bench = try Bench()
        #expect(try bench.buy(500, key: "order:a"))
        let before = bench.books.writes
        #expect(try !bench.buy(500, key: "order:a"))
        #expect(bench.books.writes == before)
        #expect(bench.balance == [500, 0])
    }

    @Test(arguments: [0, -1, Limits.creditsInOneTransfer + 1])
    func anAmountOutsideTheBoundsIsRefused(micro: Int64) throws {
        let bench = try Bench()
        #expect(bench.refusal { try bench.buy(micro) } == .invalidRequest)
        #expect(
            bench.refusal {
                try bench.ledger.recordPayment(
                    Money(fen: micro), as: .sale, key: "payment:1", reference: "", at: bench.at(0))
            } == .invalidRequest)
    }

    @Test func nothingIsGrantedToAnUnknownAccount() throws {
        let bench = try Bench()
        let code = bench.refusal {
            try bench.ledger.grant(
                Credits(micro: 1), to: AccountID(rawValue: 5), kind: .purchase, from: .issued,
                key: "order:x", origin: .order, order: nil, reference: "", expiresAt: nil,
                at: bench.at(0))
        }
        #expect(code == .notFound)
    }

    @Test(
        arguments: [
            (Transfer.Kind.usage, SystemAccount.issued), (.welcome, .issued),
            (.purchase, .promotion),
            (.payment, .wechatClearing), (.purchase, .wechatClearing), (.refund, .issued),
        ])
    func creditsComeOnlyFromWhereTheirKindSays(kind: Transfer.Kind, from: SystemAccount) throws {
        let bench = try Bench()
        let code = bench.refusal {
            try bench.ledger.grant(
                Credits(micro: 1), to: bench.account, kind: kind, from: from, key: "k",
                origin: .adjustment, order: nil, reference: "", expiresAt: nil, at: bench.at(0))
        }
        #expect(code == .internalError)
    }

    @Test func aBalanceThatCannotBeCountedIsRefused() throws {
        let bench = try Bench()
        for _ in 0..<9_223 { try bench.buy(Limits.creditsInOneTransfer) }
        #expect(bench.refusal { try bench.buy(Limits.creditsInOneTransfer) } == .conflict)
        #expect(bench.balance == [9_223 * Limits.creditsInOneTransfer, 0])
    }

    @Test func aPaymentIsOneTransferInFen() throws {
        let bench = try Bench()
        let pay = {
            try bench.ledger.recordPayment(
                Money(fen: 990), as: .sale, key: "payment:42", reference: "order:1", at: bench.at(1)
            )
        }
        #expect(try pay())
        #expect(try !pay())
        #expect(bench.books.transfers.count == 1)
        let transfer = try #require(bench.books.transfers.first?.transfer)
        #expect(transfer.unit == .fen && transfer.amount == 990 && transfer.kind == .payment)
        #expect(transfer.from == .system(.wechatClearing))
        #expect(transfer.to == .system(.sales))
    }

    @Test func moneyThatBuysNothingIsOwedBackUntilItIsAccepted() throws {
        let bench = try Bench()
        let (total, now) = (Money(fen: 7), bench.at(1))
        #expect(
            try bench.ledger.recordPayment(
                total, as: .owedBack, key: "payment:1", reference: "", at: now))
        #expect(
            try !bench.ledger.recordPayment(
                total, as: .sale, key: "payment:1", reference: "", at: now))
        for isFirst in [true, false] {
            #expect(
                try bench.ledger.acceptOwedPayment(
                    total, key: "accepted:1", reference: "", at: now) == isFirst)
        }
        let moved = bench.books.transfers.map(\.transfer)
        #expect(moved.map(\.from) == [.system(.wechatClearing), .system(.refunds)])
        #expect(moved.map(\.to) == [.system(.refunds), .system(.sales)])
        #expect(moved.allSatisfy { $0.unit == .fen && $0.amount == 7 })
    }

    @Test func keysAndReferencesAreBounded() throws {
        let bench = try Bench()
        let long = String(repeating: "k", count: 200)
        #expect(bench.refusal { try bench.buy(1, key: long) } == .internalError)
        #expect(bench.refusal { try bench.buy(1, key: "") } == .internalError)
        #expect(
            bench.refusal {
                try bench.ledger.recordPayment(
                    Money(fen: 1), as: .sale, key: "k", reference: long, at: bench.at(0))
            } == .internalError)
    }

    @Test func expiryTakesWhatIsNotReservedAndNothingElse() throws {
        let bench = try Bench()
        try bench.buy(1_000, expiresAt: bench.at(100))
        try bench.buy(300)
        _ = try bench.ledger.hold(bench.request(400), at: bench.at(1))
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(99), limit: 10) == 0)
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(100), limit: 10) == 1)
        #expect(bench.balance == [700, 400])
        #expect(bench.lots == [[400, 400], [300, 0]])
        #expect(bench.moved(.expiry) == 600)
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(200), limit: 10) == 0)
    }

    @Test func expiryKeepsToItsLimit() throws {
        let bench = try Bench()
        for _ in 0..<5 { try bench.buy(10, expiresAt: bench.at(1)) }
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(2), limit: 3) == 3)
        #expect(bench.balance == [20, 0])
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(2), limit: 3) == 2)
        #expect(bench.balance == [0, 0])
    }

    @Test func aLotLosesPartAfterPartThoughTheClockStepsBack() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(100))
        let hold = try bench.ledger.hold(bench.request(60), at: bench.at(1))
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(150), limit: 10) == 1)
        // Released before the expiry by a clock that was set back: the rest is spendable again.
        _ = try bench.ledger.release(hold.id, as: .released, at: bench.at(50))
        #expect(bench.balance == [60, 0])
        #expect(try bench.ledger.sweepLots(in: bench.books, at: bench.at(150), limit: 10) == 1)
        #expect(bench.balance == [0, 0])
        #expect(bench.moved(.expiry) == 100)
    }

    @Test func spendableLeavesOutWhatExpiredBeforeTheSweep() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(10))
        try bench.buy(50)
        #expect(
            try bench.ledger.spendable(by: bench.account, at: bench.at(9)).credits
                == Credits(micro: 150))
        #expect(
            try bench.ledger.spendable(by: bench.account, at: bench.at(10)).credits
                == Credits(micro: 50))
        #expect(bench.balance == [150, 0])
    }
}
