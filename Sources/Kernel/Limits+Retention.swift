/// How long rows are kept that neither money nor law needs; the job `retention` removes them then.
///
/// Transfers, lots, holds, orders with their events, payments, operators' acts and incidents about
/// money are never removed.
extension Limits {
    /// How long the refusals of an account's hours are kept: a person who asks why they were
    /// refused asks within weeks, and the figures outlive them.
    package static let refusalMemoryMilliseconds: Int64 = 90 * 86_400_000

    /// How long the ids of payment notifications are kept: WeChat Pay repeats one for 25 hours, and
    /// its bills, by which notifications are looked for, can be had for three months.
    ///
    /// A payment that is told later still is known by its transaction, which is never forgotten.
    package static let paymentNotificationMemoryMilliseconds: Int64 = 120 * 86_400_000

    /// How long it is kept what each call used: a year and a month, so that who doubts a bill can
    /// compare it with the same month of the year before.
    ///
    /// The charge itself is a transfer.
    package static let usageMemoryMilliseconds: Int64 = 400 * 86_400_000

    /// How long figures are kept by the hour: as long as what they were counted from.
    ///
    /// Those by the day are kept for ever, some dozens a day.
    package static let hourlyFigureMemoryMilliseconds = usageMemoryMilliseconds

    /// How long incidents are kept that are about no money: gateways and messages of a year ago
    /// have been looked after, or nobody will.
    package static let incidentMemoryMilliseconds: Int64 = 400 * 86_400_000

    /// How long messages are kept that were sent or given up: who says that nothing came says so
    /// within weeks.
    package static let sentMessageMemoryMilliseconds: Int64 = 90 * 86_400_000

    /// How long the number of a writer's last batch is kept after it: far longer than any commit is
    /// in doubt.
    ///
    /// Whoever writes again has a row again, with that batch.
    package static let writeAttemptMemoryMilliseconds: Int64 = 7 * 86_400_000

    /// How long an API key is kept that was revoked or ran out and never made a call: a month in
    /// the list, to see what one did.
    ///
    /// One that was used stays beside its calls.
    package static let endedKeyMemoryMilliseconds: Int64 = 30 * 86_400_000
}
