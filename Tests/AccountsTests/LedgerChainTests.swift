import Accounts
import Cryptography
import Testing
import TollgateKernel

@Suite("The hash chain")
struct LedgerChainTests {
    private func transfer() -> Transfer {
        Transfer(
            id: TransferID(rawValue: 77), key: "order:1", kind: .purchase, unit: .microCredits,
            from: .system(.issued), to: .customer(AccountID(rawValue: 9)), amount: 5,
            reference: "order:1", at: Timestamp(milliseconds: 1_700_000_000_123))
    }

    private func hash(
        _ transfer: Transfer, previous: [UInt8] = LedgerChain.origin, sequence: Int64 = 1,
        postedAfter: Int64 = 5
    ) throws -> String {
        Hexadecimal.encode(
            try LedgerChain.hash(
                previous: previous, transfer: transfer, sequence: sequence,
                postedAfter: postedAfter))
    }

    @Test func theHashIsTheOneThatWasStoredForEver() throws {
        // Computed with Python's hashlib and struct over the documented encoding.
        #expect(
            try hash(transfer())
                == "f836b246e592337e6b37a86c9f9c4dd554faf9c6583ff2a9134df96e7c52c92a")
    }

    @Test func everyFieldChangesTheHash() throws {
        var hashes: Set<String> = [try hash(transfer())]
        func expectNew(_ hash: String) { #expect(hashes.insert(hash).inserted) }
        func changed(_ change: (inout Transfer) -> Void) throws -> String {
            var transfer = transfer()
            change(&transfer)
            return try hash(transfer)
        }
        expectNew(try changed { $0.id = TransferID(rawValue: 78) })
        expectNew(try changed { $0.key = "order:2" })
        expectNew(try changed { $0.kind = .adjustment })
        expectNew(try changed { $0.unit = .fen })
        expectNew(try changed { $0.from = .system(.promotion) })
        expectNew(try changed { $0.to = .customer(AccountID(rawValue: 10)) })
        expectNew(try changed { $0.amount = 6 })
        expectNew(try changed { $0.reference = "order:2" })
        expectNew(try changed { $0.at = Timestamp(milliseconds: 1_700_000_000_124) })
        // Bytes moved from one field to its neighbour.
        expectNew(
            try changed {
                $0.key = "order:1p"
                $0.reference = "rder:1"
            })
        expectNew(try hash(transfer(), previous: [UInt8](repeating: 1, count: 32)))
        expectNew(try hash(transfer(), sequence: 2))
        expectNew(try hash(transfer(), postedAfter: 6))
        #expect(hashes.count == 14)
    }

    @Test func aHistoryIsOneChain() throws {
        let bench = try Bench()
        try bench.buy(100, expiresAt: bench.at(50))
        try bench.buy(100)
        let hold = try bench.ledger.hold(bench.request(150), at: bench.at(1))
        _ = try bench.ledger.settle(hold.id, price: Credits(micro: 60), at: bench.at(60))
        let entries = bench.books.entries(
            of: bench.account, after: 0, before: nil, limit: 99
        ).reversed()
        #expect(entries.map(\.link.sequence) == [1, 2, 3, 4])
        #expect(entries.map(\.link.postedAfter) == [100, 200, 140, 100])
        var previous = LedgerChain.origin
        for entry in entries {
            let expected = try LedgerChain.hash(
                previous: previous, transfer: entry.transfer, sequence: entry.link.sequence,
                postedAfter: entry.link.postedAfter)
            #expect(entry.link.hash == expected)
            previous = entry.link.hash
        }
        #expect(bench.books.ledgers[bench.account]?.chainHash == previous)
        #expect(bench.books.ledgers[bench.account]?.sequence == 4)
    }
}
