import Accounts
import Application
import Testing
import TollgateKernel

@testable import Storage

@Suite struct TransferContractTests {
    private static let owner = AccountID(rawValue: 1)

    private func transfer(
        _ number: Int64, from: LedgerAccount = .system(.issued),
        to: LedgerAccount = .customer(owner), unit: LedgerUnit = .microCredits, amount: Int64 = 5
    ) -> Transfer {
        Transfer(
            id: TransferID(rawValue: number), key: "key-\(number)", kind: .purchase, unit: unit,
            from: from, to: to, amount: amount, reference: "order:\(number)",
            at: .after(number))
    }

    private func link(_ sequence: Int64, postedAfter: Int64 = 5) -> ChainLink {
        ChainLink(
            sequence: sequence, hash: digest(UInt8(sequence)), postedAfter: postedAfter)
    }

    @Test(arguments: Engine.all) func aKeyMovesOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try !tx.ledger.transferExists(key: "key-1"))
            #expect(try tx.ledger.transferAmount(key: "key-1") == nil)
            try tx.ledger.insert(transfer(1), link: link(1))
            #expect(try tx.ledger.transferExists(key: "key-1"))
            var again = transfer(2)
            again.key = "key-1"
            let twin = again
            #expect(try refused { try tx.ledger.insert(twin, link: link(2)) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func entriesArePagesOfACustomersHistory(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            try tx.accounts.insert(account(2), openID: "openid-2")
            var entries: [LedgerEntry] = []
            for number in 1...5 as ClosedRange<Int64> {
                let moved =
                    number == 3
                    ? transfer(3, from: .customer(Self.owner), to: .system(.revenue))
                    : transfer(number)
                entries.append(LedgerEntry(transfer: moved, link: link(number)))
                try tx.ledger.insert(moved, link: link(number))
            }
            let other = transfer(6, to: .customer(AccountID(rawValue: 2)))
            try tx.ledger.insert(other, link: link(1))
            try tx.ledger.insert(
                transfer(7, from: .system(.promotion), to: .system(.revenue)), link: nil)
            let newest = try tx.ledger.entries(of: Self.owner, after: 0, before: nil, limit: 2)
            #expect(newest == [entries[4], entries[3]])
            let older = try tx.ledger.entries(of: Self.owner, after: 0, before: 4, limit: 10)
            #expect(older == [entries[2], entries[1], entries[0]])
            #expect(try tx.ledger.entries(of: Self.owner, after: 0, before: 1, limit: 10) == [])
        }
    }

    @Test(arguments: Engine.all) func aPlaceInAHistoryIsTakenOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.ledger.insert(transfer(1), link: link(1))
            #expect(
                try refused { try tx.ledger.insert(transfer(2), link: link(1)) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func customersMovesAreChainedAndOthersAreNot(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            #expect(try refused { try tx.ledger.insert(transfer(1), link: nil) } == .constraint)
            let ours = transfer(2, from: .system(.promotion), to: .system(.revenue))
            #expect(try refused { try tx.ledger.insert(ours, link: link(1)) } == .constraint)
            let below = link(1, postedAfter: -1)
            #expect(try refused { try tx.ledger.insert(transfer(3), link: below) } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func unitsNeverMix(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let wrong = [
                transfer(1, unit: .fen),
                transfer(2, from: .system(.wechatClearing), to: .system(.sales)),
                transfer(3, from: .system(.wechatClearing), to: .system(.revenue), unit: .fen),
                transfer(4, from: .system(.issued), to: .system(.sales), unit: .fen),
                transfer(5, from: .system(.sales), to: .system(.sales), unit: .fen),
                transfer(6, from: .system(.promotion), to: .system(.revenue), amount: 0),
                transfer(7, from: .system(.promotion), to: .system(.revenue), amount: -1),
            ]
            for transfer in wrong {
                let needsLink = transfer.to == .customer(Self.owner)
                #expect(
                    try refused {
                        try tx.ledger.insert(transfer, link: needsLink ? link(1) : nil)
                    } == .constraint, "\(transfer.id.rawValue)")
            }
            try tx.ledger.insert(
                transfer(8, from: .system(.wechatClearing), to: .system(.sales), unit: .fen),
                link: nil)
        }
    }

    @Test(arguments: Engine.all) func historyIsNeverChangedNorDeleted(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            try tx.ledger.insert(transfer(1), link: link(1))
            let direct = try connection(tx)
            for attempt in [
                "UPDATE transfers SET amount = 6", "UPDATE transfers SET reference = 'x'",
                "DELETE FROM transfers",
            ] {
                #expect(try refused { try direct.execute(attempt) } == .constraint)
            }
            #expect(try tx.ledger.transferExists(key: "key-1"))
        }
    }
}
