internal import Chat
internal import TollgateKernel

/// What is kept of one person's questions.
extension StoredChat {
    func usage(of hold: HoldID) throws(StoreError) -> UsageRecord? {
        try connection.first(PersonText.usage, hold.rawValue) { row throws(StoreError) in
            UsageRecord(
                hold: hold, account: AccountID(rawValue: row.integer(0)),
                model: ModelName(rawValue: row.text(1)), channel: row.text(2), source: row.text(3),
                usage: TokenUsage(
                    promptTokens: row.integer(4), completionTokens: row.integer(5)),
                isEstimated: row.truth(6), charged: Credits(micro: row.integer(7)),
                outcome: try row.word(8), startedAt: row.moment(9),
                firstTokenAt: row.optionalMoment(10), endedAt: row.moment(11),
                priceFactor: PriceFactor(stored: row.integer(12), row.integer(13)))
        }
    }

    func refusals(
        of account: AccountID, after number: Int64, limit: Int
    ) throws(StoreError) -> [RefusedQuestion] {
        try connection.all(
            PersonText.refusals, account.rawValue, number, bounded(limit)
        ) { row in
            RefusedQuestion(
                number: row.integer(0), model: ModelName(rawValue: row.text(1)), code: row.text(2),
                at: row.moment(3), times: row.integer(4))
        }
    }

    private enum PersonText {
        static let usage = SQL(
            """
            SELECT account, model, channel, source, prompt_tokens, completion_tokens,
                is_estimated, charged, outcome, started_at, first_token_at, ended_at,
                price_numerator, price_denominator
            FROM usage_records WHERE hold = $1
            """)
        static let refusals = SQL(
            """
            SELECT id, model, code, occurred_at, times FROM refusals
            WHERE account = $1 AND id > $2
            ORDER BY id LIMIT $3
            """)
    }
}
