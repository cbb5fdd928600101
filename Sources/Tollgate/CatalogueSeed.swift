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
    /// Addresses and keys of channels that are there already follow the settings; what an operator
    /// decided about them stays.
    func plant(in store: any Store, vault: Vault) async throws {
        var channels: [String: StockedChannel] = [:]
        for (model, routes) in models {
            for route in routes {
                let sealed = try vault.seal(
                    route.apiKey, label: Vault.label(ofChannel: route.channel))
                let channel = Channel(
                    key: route.channel, kind: .openAICompatible, baseURL: route.baseURL,
                    sealedAPIKey: sealed, keyHint: OwnKey.hint(of: route.apiKey), isInUse: true)
                channels[
                    route.channel, default: StockedChannel(channel: channel, offers: [])
                ].offers.append(
                    ChannelOffer(
                        model: model.name, upstreamModel: route.upstreamModel,
                        priority: route.priority, weight: 1))
            }
        }
        try await store.write { [self, channels] tx in
            // Withdrawn ones count: what an operator took away does not come back with a start.
            let isNew = try tx.chat.models(limit: 1).isEmpty
            if isNew { for (model, _) in models { try tx.chat.save(model) } }
            for stocked in channels.values.sorted(by: { $0.channel.key < $1.channel.key }) {
                var stocked = stocked
                if let old = try tx.chat.channel(stocked.channel.key) {
                    stocked.channel.isInUse = old.channel.isInUse
                    stocked.offers = old.offers
                }
                try tx.chat.save(stocked)
            }
            guard isNew else { return }
            for product in products { try tx.orders.save(product) }
        }
    }
}
