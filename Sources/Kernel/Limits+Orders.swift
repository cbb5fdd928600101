extension Limits {
    /// Unpaid orders of one account: a person looks at two or three, and each is asked about at
    /// WeChat Pay until its time is out.
    package static let unpaidOrdersOfAccount = 10

    /// Orders of one account within ``unpaidOrdersSpanMilliseconds`` that WeChat Pay did not refuse
    /// and nobody paid: who changes their mind makes a handful, and one who orders and cancels
    /// without end makes 50 rows a day that are kept for ever, and as many calls to WeChat Pay.
    package static let unpaidOrdersOfSpan = 50

    /// The time over which ``unpaidOrdersOfSpan`` counts: a day, so that nobody is kept from buying
    /// for longer.
    package static let unpaidOrdersSpanMilliseconds: Int64 = 86_400_000

    /// The longest an order may wait for its payment: WeChat Pay's code lives two hours, and
    /// whoever comes back to an order should find one that can still be paid (payments reference,
    /// 1.2).
    package static let orderLifetimeSeconds: Int64 = 7_000

    /// When payment-reconcile first asks about an unpaid order: a payer needs about a minute, and
    /// the notification usually comes first.
    package static let orderFirstQueryMilliseconds: Int64 = 60_000

    /// The longest pause between two questions about one order: a lost notification costs its
    /// buyer ten minutes at worst, and an order open for two hours is asked about 15 times.
    package static let orderLongestQueryPauseMilliseconds: Int64 = 10 * 60_000

    /// How long after a question that WeChat Pay did not answer it is asked again: as often as
    /// payment-reconcile looks for orders, since silence says nothing about whether a payer paid.
    package static let orderUnansweredPauseMilliseconds: Int64 = 30_000

    /// How long an order that its buyer gave up is left alone if that did not close it at once: a
    /// call that makes it at WeChat Pay ends within 20 s, so that after a minute none is on its way
    /// and what WeChat does not know then it never will.
    package static let cancelledOrderPauseMilliseconds: Int64 = 60_000

    /// Bytes of a product's name: WeChat Pay takes no longer description of what is paid for.
    package static let productNameBytes = 127

    /// The highest price of a product: a hundred thousand yuan; above it somebody mistyped.
    package static let productPriceFen: Int64 = 10_000_000

    /// The longest that bought credits live: ten years; who means longer means for ever.
    package static let productLifetimeDays: Int64 = 3_650

    /// Models that one product permits: an act in the operators' log names them all.
    package static let modelsOfProduct = 16

    /// Products there are, withdrawn ones included: more than anybody reads through, and they are
    /// told in one answer.
    package static let products = 200

    /// What told us of an order's move: an identifier or a notification's id.
    package static let orderEvidenceBytes = 64
}
