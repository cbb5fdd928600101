internal import Accounts
internal import Orders
internal import TollgateKernel

/// How many orders a person makes within a day and does not pay, over every account they have had.
///
/// Who orders and pays nothing, again and again, waits until the first of those orders is a day
/// old: rows of orders are never removed. What WeChat Pay refused to make is not theirs to answer
/// for, and does not count; what it did not answer counts, since whoever hangs up gets no answer.
///
/// Leaving is no way out: how many there were is remembered for a day under the digest of the
/// person's openid, and nothing of the orders themselves.
struct OrderPace {
    let tx: any Transaction
    let now: Timestamp

    private var span: Int64 { Limits.unpaidOrdersSpanMilliseconds }

    private var since: Timestamp { now.adding(milliseconds: -span) }

    /// What was made by a clock further ahead than servers may be of each other does not count,
    /// lest its step back keep somebody from buying for days.
    private var until: Timestamp { now.adding(milliseconds: Limits.storeClockRefusedMilliseconds) }

    /// Refuses one order more than a day may have.
    ///
    /// - Throws: `rate_limited`, with the time after which there is room again.
    func check(_ account: Account) throws {
        let most = Limits.unpaidOrdersOfSpan
        if let made = try made(number: most, by: account.id) { throw refusal(until: made) }
        guard let left = try remembered(of: account) else { return }
        let room = most - Int(clamping: left.made)
        guard room > 0 else { throw refusal(until: left.leftAt) }
        // There is room when the first of the new ones is out, or all of the old ones are.
        if let made = try made(number: room, by: account.id) {
            throw refusal(until: min(made, left.leftAt))
        }
    }

    /// Remembers how many there were of the person who leaves an account, with what is remembered
    /// of accounts they left before.
    func remember(_ account: Account) throws {
        let made = try tx.orders.countUnpaidOrdersMade(of: account.id, since: since, until: until)
        guard made > 0 else { return }
        let before = try remembered(of: account)?.made ?? 0
        try tx.departures.keepOrders(
            DepartedOrders(made: before + made, leftAt: now), ofPerson: account.openIDDigest)
    }

    private func made(number: Int, by account: AccountID) throws -> Timestamp? {
        try tx.orders.unpaidOrderMade(of: account, number: number, since: since, until: until)
    }

    private func remembered(of account: Account) throws -> DepartedOrders? {
        let left = try tx.departures.orders(ofPerson: account.openIDDigest)
        return left.flatMap { $0.leftAt > since && $0.leftAt <= until ? $0 : nil }
    }

    private func refusal(until moment: Timestamp) -> Failure {
        Failure(
            .rateLimited,
            "You made \(Limits.unpaidOrdersOfSpan) orders within a day that were not paid; order "
                + "again when the first of them is a day old.",
            retryAfterMilliseconds: moment.milliseconds + span - now.milliseconds)
    }
}
