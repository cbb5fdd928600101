import Application
import Chat
import Orders
import TollgateKernel

/// What a new store offers: models, channels and products.
struct CatalogueSeed: Sendable {
    /// A channel's offer of a model.
    struct Route: Sendable {
        var channel: String
        var baseURL: String
        var apiKey: String
        var upstreamModel: String
        var priority: Int64
    }

    /// Models with their channels.
    var models: [(model: ChatModel, routes: [Route])]
    /// Products.
    var products: [Product]

    /// The sandbox's offer: two channels, the second for when the first fails.
    static func sandbox(base: String, keys: [String: String]) -> CatalogueSeed {
        func routes(_ model: String) -> [Route] {
            ["a", "b"].enumerated().map { index, name in
                Route(
                    channel: "sandbox-\(name)", baseURL: "\(base)/openai/\(name)/v1",
                    apiKey: keys[name] ?? "", upstreamModel: model, priority: Int64(index))
            }
        }
        func model(
            _ name: String, _ summary: String, perCall: Credits, prompt: Credits,
            completion: Credits, isOpenToAll: Bool, position: Int64
        ) -> ChatModel {
            ChatModel(
                name: ModelName(rawValue: name), summary: summary,
                price: ChatPrice(
                    perCall: perCall, perThousandPromptTokens: prompt,
                    perThousandCompletionTokens: completion), maxTokens: 1_024,
                isOpenToAll: isOpenToAll, isEnabled: true, position: position)
        }
        return CatalogueSeed(
            models: [
                (
                    model(
                        "demo-chat", "Everyday questions, one credit each.",
                        perCall: Credits(whole: 1), prompt: .zero, completion: .zero,
                        isOpenToAll: true, position: 1), routes("gpt-4o-mini")
                ),
                (
                    model(
                        "demo-pro", "Longer thoughts, paid by the token; comes with a purchase.",
                        perCall: .zero, prompt: Credits(micro: 500_000),
                        completion: Credits(micro: 1_500_000), isOpenToAll: false, position: 2),
                    routes("gpt-4o")
                ),
            ], products: products)
    }

    private static let products = [
        Product(
            key: ProductKey(rawValue: "starter"), name: "Starter, 10 credits",
            summary: "Ten everyday questions.", price: Money(fen: 100), credits: Credits(whole: 10),
            lifetimeDays: 365, models: [], isEnabled: true, position: 1),
        Product(
            key: ProductKey(rawValue: "regular"), name: "Regular, 120 credits",
            summary: "A hundred and twenty credits, and the pro model.", price: Money(fen: 990),
            credits: Credits(whole: 120), lifetimeDays: 365,
            models: [ModelName(rawValue: "demo-pro")], isEnabled: true, position: 2),
    ]

    /// Puts the offer into a store that offers nothing yet.
    ///
    /// Addresses of channels that are there already follow the settings.
    func plant(in store: any Store, vault: Vault) async throws {
        var sealed: [String: [UInt8]] = [:]
        for (_, routes) in models {
            for route in routes {
                sealed[route.channel] = try vault.seal(
                    route.apiKey, label: Vault.label(ofChannel: route.channel))
            }
        }
        try await store.write { [self, sealed] tx in
            // Withdrawn ones count: what an operator took away does not come back with a start.
            let isNew = try tx.chat.models(limit: 1).isEmpty
            for (model, routes) in models {
                if isNew { try tx.chat.save(model) }
                for route in routes {
                    try tx.chat.save(
                        ChannelRoute(
                            channel: route.channel, kind: .openAICompatible,
                            baseURL: route.baseURL, sealedAPIKey: sealed[route.channel] ?? [],
                            upstreamModel: route.upstreamModel, priority: route.priority,
                            weight: 1), for: model.name, isEnabled: true)
                }
            }
            guard isNew else { return }
            for product in products { try tx.orders.save(product) }
        }
    }
}
