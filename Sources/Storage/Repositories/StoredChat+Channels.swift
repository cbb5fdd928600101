internal import Chat
internal import TollgateKernel

extension StoredChat {
    func channels(limit: Int) throws(StoreError) -> [StockedChannel] {
        let channels = try connection.all(Text.all, bounded(limit), decode: Self.channel)
        var stocked: [StockedChannel] = []
        for channel in channels {
            stocked.append(StockedChannel(channel: channel, offers: try offers(of: channel.key)))
        }
        return stocked
    }

    func channel(_ key: String) throws(StoreError) -> StockedChannel? {
        guard let channel = try connection.first(Text.named, key, decode: Self.channel) else {
            return nil
        }
        return StockedChannel(channel: channel, offers: try offers(of: key))
    }

    func save(_ stocked: StockedChannel) throws(StoreError) {
        let channel = stocked.channel
        try connection.run(
            Text.save, channel.key, channel.kind.rawValue, channel.baseURL, channel.sealedAPIKey,
            channel.keyHint, channel.isInUse)
        try connection.run(Text.disableOffers, channel.key)
        for offer in stocked.offers {
            try connection.run(
                Text.saveOffer, offer.model.rawValue, channel.key, offer.upstreamModel,
                offer.priority, offer.weight)
        }
    }

    private func offers(of channel: String) throws(StoreError) -> [ChannelOffer] {
        try connection.all(Text.offers, channel, bounded(.max)) { row in
            ChannelOffer(
                model: ModelName(rawValue: row.text(0)), upstreamModel: row.text(1),
                priority: row.integer(2), weight: row.integer(3))
        }
    }

    private static func channel(_ row: Row) throws(StoreError) -> Channel {
        // Of a key that was stored before its end was kept nothing is known.
        let hint = row.text(4)
        return Channel(
            key: row.text(0), kind: try row.word(1), baseURL: row.text(2),
            sealedAPIKey: row.bytes(3), keyHint: hint.isEmpty ? "…" : hint, isInUse: row.truth(5))
    }

    private enum Text {
        static let columns = "channel_key, kind, base_url, sealed_api_key, key_hint, is_in_use"
        static let all = SQL("SELECT \(columns) FROM channels ORDER BY channel_key LIMIT $1")
        static let named = SQL("SELECT \(columns) FROM channels WHERE channel_key = $1")
        static let offers = SQL(
            """
            SELECT model, upstream_model, priority, weight FROM channel_models
            WHERE channel = $1 AND is_enabled = 1 ORDER BY model LIMIT $2
            """)
        static let save = SQL(
            """
            INSERT INTO channels (\(columns)) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (channel_key) DO UPDATE SET kind = excluded.kind,
                base_url = excluded.base_url, sealed_api_key = excluded.sealed_api_key,
                key_hint = excluded.key_hint, is_in_use = excluded.is_in_use
            """)
        static let disableOffers = SQL(
            "UPDATE channel_models SET is_enabled = 0 WHERE channel = $1 AND is_enabled = 1")
        static let saveOffer = SQL(
            """
            INSERT INTO channel_models
                (model, channel, upstream_model, priority, weight, is_enabled)
            VALUES ($1, $2, $3, $4, $5, 1)
            ON CONFLICT (model, channel) DO UPDATE SET upstream_model = excluded.upstream_model,
                priority = excluded.priority, weight = excluded.weight,
                is_enabled = excluded.is_enabled
            """)
    }
}
