import Accounts
import Application
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

@Suite struct OwnKeyContractTests {
    private func offer(_ channels: [String], _ tx: any Transaction) throws {
        let model = ChatModel(
            name: ModelName(rawValue: "m"), summary: "", price: .free, maxTokens: 256,
            isOpenToAll: true, isEnabled: true, position: 1)
        try tx.chat.save(model)
        for channel in channels {
            try tx.chat.save(
                ChannelRoute(
                    channel: channel, kind: .openAICompatible, baseURL: "http://\(channel)",
                    sealedAPIKey: [1], upstreamModel: "u", priority: 1, weight: 1),
                for: model.name, isEnabled: true)
        }
    }

    private func key(_ channel: String, of owner: Int64 = 1, sealed: UInt8 = 7) -> OwnKey {
        OwnKey(
            account: AccountID(rawValue: owner), channel: channel, sealed: [sealed, 0, 255],
            hint: "…abcd", createdAt: .after(Int64(sealed)))
    }

    @Test(arguments: Engine.all) func aKeyIsReplacedListedAndRemoved(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            try offer(["a", "b"], tx)
            try tx.accounts.insert(account(2), openID: "openid-2")
            let (first, second) = (AccountID(rawValue: 1), AccountID(rawValue: 2))
            #expect(try tx.ownKeys.ownKeys(of: first).isEmpty)
            #expect(try tx.accounts.account(first)?.hasOwnKeys == false)
            try tx.ownKeys.save(key("b"))
            try tx.ownKeys.save(key("a"))
            try tx.ownKeys.save(key("a", sealed: 9))
            try tx.ownKeys.save(key("a", of: 2))
            #expect(try tx.ownKeys.ownKeys(of: first) == [key("a", sealed: 9), key("b")])
            #expect(try tx.ownKeys.removeOwnKey(channel: "a", of: first))
            #expect(try !tx.ownKeys.removeOwnKey(channel: "a", of: first))
            #expect(try tx.ownKeys.ownKeys(of: first) == [key("b")])
            #expect(try tx.ownKeys.ownKeys(of: second) == [key("a", of: 2)])
        }
    }

    @Test(arguments: Engine.all) func whetherThereAreAnyIsToldWithTheAccount(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            try offer(["a", "b"], tx)
            let owner = AccountID(rawValue: 1)
            let has = {
                let standing = try tx.ledger.standing(
                    of: owner, on: ShanghaiDay(start), requestID: IdempotencyKey(rawValue: "r"))
                let byDigest = try tx.accounts.account(openIDDigest: digest(1))
                #expect(byDigest?.hasOwnKeys == standing?.account.hasOwnKeys)
                return standing?.account.hasOwnKeys
            }
            #expect(try has() == false)
            try tx.ownKeys.save(key("a"))
            try tx.ownKeys.save(key("b"))
            #expect(try has() == true)
            _ = try tx.ownKeys.removeOwnKey(channel: "a", of: owner)
            #expect(try has() == true)
            _ = try tx.ownKeys.removeOwnKey(channel: "b", of: owner)
            #expect(try has() == false)
        }
    }

    @Test(arguments: Engine.all) func everyKeyIsReadInPartsAndReplacedIfItIsTheSame(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            try offer(["a", "b"], tx)
            try tx.accounts.insert(account(2), openID: "openid-2")
            let all = [key("a"), key("b"), key("a", of: 2)]
            for key in all.reversed() { try tx.ownKeys.save(key) }
            #expect(try tx.ownKeys.ownKeys(after: nil, limit: 2) == Array(all.prefix(2)))
            #expect(try tx.ownKeys.ownKeys(after: all[1], limit: 2) == [all[2]])
            #expect(try tx.ownKeys.ownKeys(after: all[2], limit: 2).isEmpty)
            #expect(try tx.ownKeys.replace(all[1], with: [5]))
            #expect(try !tx.ownKeys.replace(all[1], with: [6]))
            #expect(try tx.ownKeys.ownKeys(after: all[0], limit: 1).map(\.sealed) == [[5]])
            let channels = try tx.chat.channelKeys(after: "", limit: 1)
            #expect(channels == [ChannelKey(channel: "a", sealed: [1])])
            #expect(try tx.chat.channelKeys(after: "a", limit: 9).map(\.channel) == ["b"])
            #expect(try tx.chat.replace(channels[0], with: [2]))
            #expect(try !tx.chat.replace(channels[0], with: [3]))
            #expect(try tx.chat.channelKeys(after: "", limit: 1).map(\.sealed) == [[2]])
        }
    }

    @Test(arguments: Engine.all) func aKeyIsForAChannelAndAnAccountThatAre(_ engine: Engine)
        async throws
    {
        for wrong in [key("none"), key("a", of: 99)] {
            try await withStore(on: engine) { store in
                let ending = await Ending {
                    try await store.write { tx in
                        try tx.accounts.insert(account(), openID: "openid-1")
                        try offer(["a"], tx)
                        try tx.ownKeys.save(wrong)
                    }
                }
                // Neither engine takes it; when it says so is the engine's.
                #expect(ending != .value, "\(wrong)")
            }
        }
    }

    @Test(arguments: Engine.all) func aHoldUnderAnOwnKeyReservesNothing(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            var own = hold(1, amount: 0)
            own.source = .ownKey
            let whole = own
            try tx.ledger.insert(whole, reservations: [])
            #expect(try tx.ledger.hold(whole.id) == whole)
            var dear = hold(2, amount: 1)
            dear.source = .ownKey
            let wrong = dear
            #expect(
                try refused { try tx.ledger.insert(wrong, reservations: []) } == .constraint)
            // The words of before are checked as before.
            let direct = try connection(tx)
            #expect(
                try refused { try direct.execute("UPDATE holds SET source = 'gift'") }
                    == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aUsageUnderAnOwnKeyIsChargedNothing(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            for (number, charged) in [(1, 0), (2, 1)] as [(Int64, Int64)] {
                var own = hold(number, amount: 0)
                own.source = .ownKey
                try tx.ledger.insert(own, reservations: [])
                let record = UsageRecord(
                    hold: own.id, account: own.account, model: ModelName(rawValue: "m"),
                    channel: "a", source: own.source.rawValue,
                    usage: TokenUsage(promptTokens: 1, completionTokens: 1), isEstimated: false,
                    charged: Credits(micro: charged), outcome: .answered, startedAt: start,
                    firstTokenAt: nil, endedAt: start, priceFactor: .one)
                let refusal = try refused { try tx.chat.insert(record) }
                #expect(refusal == (charged == 0 ? nil : .constraint))
            }
        }
    }
}
