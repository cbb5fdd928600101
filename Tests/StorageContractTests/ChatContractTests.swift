import Accounts
import Application
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

@Suite struct ChatContractTests {
    private func model(
        _ name: String, position: Int64 = 1, isEnabled: Bool = true
    ) -> ChatModel {
        ChatModel(
            name: ModelName(rawValue: name), summary: "about \(name)",
            price: ChatPrice(
                perCall: Credits(micro: 1), perThousandPromptTokens: Credits(micro: 2),
                perThousandCompletionTokens: Credits(micro: 3)),
            maxTokens: 4_096, isOpenToAll: name == "open", isEnabled: isEnabled,
            position: position)
    }

    private func route(
        _ channel: String, priority: Int64 = 1, upstream: String = "gpt"
    ) -> ChannelRoute {
        ChannelRoute(
            channel: channel, kind: .openAICompatible, baseURL: "http://\(channel)/v1",
            sealedAPIKey: [1, 2, 3], upstreamModel: upstream, priority: priority, weight: 5)
    }

    @Test(arguments: Engine.all) func modelsComeInTheOperatorsOrder(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let models = [
                model("b", position: 2), model("a", position: 2), model("open", position: 1),
                model("off", position: 0, isEnabled: false),
            ]
            for model in models { try tx.chat.save(model) }
            #expect(try tx.chat.enabledModels() == [models[2], models[1], models[0]])
            #expect(
                try tx.chat.models(limit: 9) == [models[3], models[2], models[1], models[0]])
            #expect(try tx.chat.models(limit: 2) == [models[3], models[2]])
            #expect(try tx.chat.model(ModelName(rawValue: "off")) == models[3])
            #expect(try tx.chat.model(ModelName(rawValue: "none")) == nil)
            var dearer = models[0]
            dearer.price.perCall = Credits(micro: 9)
            dearer.summary = ""
            try tx.chat.save(dearer)
            #expect(try tx.chat.model(dearer.name) == dearer)
        }
    }

    @Test(arguments: Engine.all) func routesComeByPriorityThenKey(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            let name = ModelName(rawValue: "a")
            try tx.chat.save(model("a"))
            try tx.chat.save(model("b"))
            let routes = [route("z"), route("y"), route("x", priority: 0), route("off")]
            for route in routes {
                try tx.chat.save(route, for: name, isEnabled: route.channel != "off")
            }
            try tx.chat.save(
                route("y", upstream: "other"), for: ModelName(rawValue: "b"), isEnabled: true)
            #expect(try tx.chat.routes(for: name) == [routes[2], routes[1], routes[0]])
            #expect(
                try tx.chat.routes(for: ModelName(rawValue: "b")) == [
                    route("y", upstream: "other")
                ])
            #expect(try tx.chat.routes(for: ModelName(rawValue: "none")) == [])
            var moved = routes[0]
            moved.baseURL = "http://elsewhere"
            moved.sealedAPIKey = []
            moved.priority = -1
            try tx.chat.save(moved, for: name, isEnabled: true)
            #expect(try tx.chat.routes(for: name).first == moved)
            #expect(
                try refused {
                    try tx.chat.save(
                        route("x"), for: ModelName(rawValue: "none"), isEnabled: true)
                } == .constraint)
        }
    }

    @Test(arguments: Engine.all) func wordsAreReplaced(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.chat.save(SensitiveWord(word: "b", action: .mask))
            try tx.chat.save(SensitiveWord(word: "a", action: .mask))
            try tx.chat.save(SensitiveWord(word: "a", action: .refuse))
            #expect(
                try tx.chat.sensitiveWords() == [
                    SensitiveWord(word: "a", action: .refuse),
                    SensitiveWord(word: "b", action: .mask),
                ])
        }
    }

    @Test(arguments: Engine.all) func aHoldHasOneUsageRow(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.ledger.insert(hold(1), reservations: [])
            let usage = usage(of: 1)
            try tx.chat.insert(usage)
            var second = usage
            second.charged = .zero
            try tx.chat.insert(second)
            let charged = try connection(tx).all(
                SQL("SELECT charged FROM usage_records")
            ) { $0.integer(0) }
            #expect(charged == [usage.charged.micro])
            #expect(try refused { try tx.chat.insert(self.usage(of: 2)) } == .constraint)
            try tx.chat.insertRefusal(
                account: AccountID(rawValue: 1), model: ModelName(rawValue: "m"),
                code: .quotaExhausted, at: start)
        }
    }

    private func usage(of hold: Int64) -> UsageRecord {
        UsageRecord(
            hold: HoldID(rawValue: hold), account: AccountID(rawValue: 1),
            model: ModelName(rawValue: "m"), channel: "c", source: "credits",
            usage: TokenUsage(promptTokens: 3, completionTokens: 4), isEstimated: false,
            charged: Credits(micro: 5), outcome: .answered, startedAt: start, firstTokenAt: nil,
            endedAt: .after(9))
    }
}
