package import Chat
package import TollgateKernel

extension ChatRepository {
    /// Adds or replaces a channel and its offer of one model; what else it offers stays.
    package func save(
        _ route: ChannelRoute, for model: ModelName, isEnabled: Bool
    ) throws(StoreError) {
        let old = try channel(route.channel)
        var stocked = StockedChannel(
            channel: Channel(
                key: route.channel, kind: route.kind, baseURL: route.baseURL,
                sealedAPIKey: route.sealedAPIKey, keyHint: old?.channel.keyHint ?? "",
                isInUse: old?.channel.isInUse ?? true),
            offers: (old?.offers ?? []).filter { $0.model != model })
        let others = stocked.offers
        stocked.offers.append(
            ChannelOffer(
                model: model, upstreamModel: route.upstreamModel, priority: route.priority,
                weight: route.weight))
        try save(stocked)
        guard !isEnabled else { return }
        stocked.offers = others
        try save(stocked)
    }
}
