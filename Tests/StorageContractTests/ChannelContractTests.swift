import Accounts
import Application
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

/// Channels as operators stock them, on both engines.
@Suite struct ChannelContractTests {
    private func model(_ name: String) -> ChatModel {
        ChatModel(
            name: ModelName(rawValue: name), summary: "", price: .free, maxTokens: 1,
            isOpenToAll: true, isEnabled: true, position: 1)
    }

    private func stocked(_ key: String, _ offers: [ChannelOffer] = []) -> StockedChannel {
        StockedChannel(
            channel: Channel(
                key: key, kind: .openAICompatible, baseURL: "https://\(key)/v1",
                sealedAPIKey: [1, 2, 3], keyHint: "…1234", isInUse: true), offers: offers)
    }

    private func offer(
        _ model: String, _ theirs: String = "gpt", priority: Int64 = 3, weight: Int64 = 4
    ) -> ChannelOffer {
        ChannelOffer(
            model: ModelName(rawValue: model), upstreamModel: theirs, priority: priority,
            weight: weight)
    }

    @Test(arguments: Engine.all) func channelsAreStockedAndTakenOutOfUse(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            for name in ["a", "b"] { try tx.chat.save(model(name)) }
            let a = ModelName(rawValue: "a")
            let first = stocked("one", [offer("a"), offer("b", "other", priority: 0, weight: 1)])
            let second = stocked("two", [offer("a", priority: 9)])
            try tx.chat.save(second)
            try tx.chat.save(first)
            #expect(try tx.chat.channels(limit: 9) == [first, second])
            #expect(try tx.chat.channels(limit: 1) == [first])
            #expect(try tx.chat.channel("one") == first)
            #expect(try tx.chat.channel("three") == nil)
            #expect(
                try tx.chat.routes(for: a).map { [$0.channel, $0.upstreamModel] }
                    == [["one", "gpt"], ["two", "gpt"]])

            // What is named no more is answered no more; what is named again comes back.
            var changed = first
            changed.offers = [offer("a", "new", priority: 10, weight: 2)]
            changed.channel.sealedAPIKey = [4]
            changed.channel.keyHint = "…"
            changed.channel.baseURL = "https://elsewhere"
            try tx.chat.save(changed)
            #expect(try tx.chat.channel("one") == changed)
            #expect(try tx.chat.routes(for: a).map(\.channel) == ["two", "one"])
            #expect(try tx.chat.routes(for: a).last?.sealedAPIKey == [4])
            #expect(try tx.chat.routes(for: ModelName(rawValue: "b")) == [])
            try tx.chat.save(first)
            #expect(try tx.chat.channel("one") == first)

            var unused = first
            unused.channel.isInUse = false
            try tx.chat.save(unused)
            #expect(try tx.chat.channel("one") == unused)
            #expect(try tx.chat.routes(for: a).map(\.channel) == ["two"])
            #expect(
                try refused { try tx.chat.save(self.stocked("one", [self.offer("none")])) }
                    == .constraint)
        }
    }

    @Test(arguments: Engine.all) func aChannelOfBeforeIsInUseAndItsKeyUnknownByItsEnd(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.chat.save(model("a"))
            let connection = try connection(tx)
            try connection.run(
                SQL(
                    """
                    INSERT INTO channels (channel_key, kind, base_url, sealed_api_key)
                    VALUES ('old', 'openai', 'https://old', $1)
                    """), [UInt8]([1]))
            try connection.run(
                SQL(
                    """
                    INSERT INTO channel_models
                        (model, channel, upstream_model, priority, weight, is_enabled)
                    VALUES ('a', 'old', 'gpt', 1, 1, 1)
                    """))
            let old = try #require(try tx.chat.channel("old"))
            #expect(old.channel.isInUse)
            #expect(old.channel.keyHint == "…")
            #expect(old.offers.map(\.model.rawValue) == ["a"])
        }
    }

    @Test(arguments: Engine.all) func whetherAnybodyHasAKeyForAChannelIsTold(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            for key in ["one", "two"] { try tx.chat.save(stocked(key)) }
            #expect(try !tx.ownKeys.hasOwnKeys(channel: "one"))
            try tx.ownKeys.save(
                OwnKey(
                    account: AccountID(rawValue: 1), channel: "one", sealed: [1], hint: "…",
                    createdAt: start))
            #expect(try tx.ownKeys.hasOwnKeys(channel: "one"))
            #expect(try !tx.ownKeys.hasOwnKeys(channel: "two"))
        }
    }
}
