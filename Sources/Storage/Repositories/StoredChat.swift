internal import Analytics
internal import Chat
internal import TollgateKernel

/// Models, channels, words and usage.
struct StoredChat: ChatRepository {
    let connection: StoreConnection

    func enabledModels() throws(StoreError) -> [ChatModel] {
        try connection.all(Text.enabledModels, bounded(.max), decode: Self.model)
    }

    func models(limit: Int) throws(StoreError) -> [ChatModel] {
        try connection.all(Text.models, bounded(limit), decode: Self.model)
    }

    func model(_ name: ModelName) throws(StoreError) -> ChatModel? {
        try connection.first(Text.model, name.rawValue, decode: Self.model)
    }

    func routes(for model: ModelName) throws(StoreError) -> [ChannelRoute] {
        try connection.all(Text.routes, model.rawValue, bounded(.max)) { row throws(StoreError) in
            ChannelRoute(
                channel: row.text(0), kind: try row.word(1), baseURL: row.text(2),
                sealedAPIKey: row.bytes(3), upstreamModel: row.text(4),
                priority: row.integer(5), weight: row.integer(6))
        }
    }

    func channelKeys(after channel: String, limit: Int) throws(StoreError) -> [ChannelKey] {
        try connection.all(Text.channelKeys, channel, bounded(limit)) { row in
            ChannelKey(channel: row.text(0), sealed: row.bytes(1))
        }
    }

    func replace(_ old: ChannelKey, with sealed: [UInt8]) throws(StoreError) -> Bool {
        try connection.run(Text.replaceKey, sealed, old.channel, old.sealed) == 1
    }

    func save(_ model: ChatModel) throws(StoreError) {
        let price = model.price
        try connection.run(
            Text.saveModel, model.name.rawValue, model.summary, price.perCall.micro,
            price.perThousandPromptTokens.micro, price.perThousandCompletionTokens.micro,
            model.maxTokens, model.isOpenToAll, model.isEnabled, model.position)
    }

    func sensitiveWords() throws(StoreError) -> [SensitiveWord] {
        try connection.all(Text.words, bounded(.max)) { row throws(StoreError) in
            SensitiveWord(word: row.text(0), action: try row.word(1))
        }
    }

    func save(_ word: SensitiveWord) throws(StoreError) {
        try connection.run(Text.saveWord, word.word, word.action.rawValue)
    }

    func insert(_ usage: UsageRecord) throws(StoreError) {
        try connection.run(
            Text.insertUsage, usage.hold.rawValue, usage.account.rawValue, usage.model.rawValue,
            usage.channel, usage.source, usage.usage.promptTokens, usage.usage.completionTokens,
            usage.isEstimated, usage.charged.micro, usage.outcome.rawValue,
            usage.startedAt.milliseconds, usage.firstTokenAt?.milliseconds,
            usage.endedAt.milliseconds, usage.priceFactor.numerator,
            usage.priceFactor.denominator)
    }

    func insertRefusals(
        _ times: Int64, account: AccountID, model: ModelName, code: Failure.Code,
        at now: Timestamp
    ) throws(StoreError) {
        try connection.run(
            Text.countRefusals, account.rawValue, model.rawValue, code.rawValue,
            now.milliseconds, RollupResolution.hour.start(of: now).milliseconds, times)
    }

    private static func model(_ row: Row) throws(StoreError) -> ChatModel {
        ChatModel(
            name: ModelName(rawValue: row.text(0)), summary: row.text(1),
            price: ChatPrice(
                perCall: Credits(micro: row.integer(2)),
                perThousandPromptTokens: Credits(micro: row.integer(3)),
                perThousandCompletionTokens: Credits(micro: row.integer(4))),
            maxTokens: row.integer(5), isOpenToAll: row.truth(6), isEnabled: row.truth(7),
            position: row.integer(8))
    }

    private enum Text {
        static let modelColumns = """
            name, summary, per_call, per_thousand_prompt_tokens, per_thousand_completion_tokens,
            max_tokens, is_open_to_all, is_enabled, position
            """
        static let enabledModels = SQL(
            """
            SELECT \(modelColumns) FROM models WHERE is_enabled = 1
            ORDER BY position, name LIMIT $1
            """)
        static let models = SQL(
            "SELECT \(modelColumns) FROM models ORDER BY position, name LIMIT $1")
        static let model = SQL("SELECT \(modelColumns) FROM models WHERE name = $1")
        static let routes = SQL(
            """
            SELECT channel_key, kind, base_url, sealed_api_key, upstream_model, priority, weight
            FROM channel_models JOIN channels ON channel_key = channel
            WHERE model = $1 AND is_enabled = 1 AND is_in_use = 1
            ORDER BY priority, channel_key LIMIT $2
            """)
        static let channelKeys = SQL(
            """
            SELECT channel_key, sealed_api_key FROM channels WHERE channel_key > $1
            ORDER BY channel_key LIMIT $2
            """)
        static let replaceKey = SQL(
            """
            UPDATE channels SET sealed_api_key = $1 WHERE channel_key = $2 AND sealed_api_key = $3
            """)
        static let saveModel = SQL(
            """
            INSERT INTO models (\(modelColumns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (name) DO UPDATE SET summary = excluded.summary,
                per_call = excluded.per_call,
                per_thousand_prompt_tokens = excluded.per_thousand_prompt_tokens,
                per_thousand_completion_tokens = excluded.per_thousand_completion_tokens,
                max_tokens = excluded.max_tokens, is_open_to_all = excluded.is_open_to_all,
                is_enabled = excluded.is_enabled, position = excluded.position
            """)
        static let words = SQL("SELECT word, action FROM sensitive_words ORDER BY word LIMIT $1")
        static let saveWord = SQL(
            """
            INSERT INTO sensitive_words (word, action) VALUES ($1, $2)
            ON CONFLICT (word) DO UPDATE SET action = excluded.action
            """)
        static let insertUsage = SQL(
            """
            INSERT INTO usage_records (hold, account, model, channel, source, prompt_tokens,
                completion_tokens, is_estimated, charged, outcome, started_at, first_token_at,
                ended_at, price_numerator, price_denominator)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            ON CONFLICT (hold) DO NOTHING
            """)
        static let countRefusals = SQL(
            """
            INSERT INTO refusals (account, model, code, occurred_at, hour, times)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (account, hour, model, code)
            DO UPDATE SET times = refusals.times + excluded.times
            """)
    }
}
