package import TollgateKernel

/// What a calendar month came to on a customer's account: what was there, what moved, what is left.
///
/// A month is a run of places of the history and not a set of moments. It begins at the first place
/// at which the history had reached the month's first moment, and ends before the first at which it
/// had reached the next month's. So each movement is in one month, months stand in the order of the
/// history, and a month closes with what the next one opens with, also where movements of before
/// schema 12 bear moments that are out of order: one that was booked late counts for the month in
/// which the history stood.
package struct Statement: Hashable, Sendable {
    /// Whose.
    package var account: AccountID
    /// The month, in Asia/Shanghai.
    package var month: ShanghaiMonth
    /// Its places in the history; empty if nothing moved.
    package var places: Range<Int64>
    /// Credits before the first place, in micro-credits.
    package var opening: Int64
    /// Credits after the last place, in micro-credits.
    package var closing: Int64
    /// What moved, by kind, in the order of ``Transfer/Kind``; kinds without a movement are left
    /// out.
    package var totals: [MovementTotal]
    /// Free calls that the month's days gave and that were used or under way.
    ///
    /// They are no credits: each day has its own, and what a day left is gone with it.
    package var trialCalls: Int64
    /// What is reserved and under way; nil once the month is over.
    package var open: OpenReservations?

    /// What came onto the account, in micro-credits.
    package var credited: Int64 { totals.reduce(0) { $0 + $1.credited } }
    /// What left it, in micro-credits.
    package var debited: Int64 { totals.reduce(0) { $0 + $1.debited } }
}

/// What an account's open holds reserve at a statement's moment.
package struct OpenReservations: Hashable, Sendable {
    /// Reserved credits, in micro-credits; they are part of the closing balance.
    package var held: Int64
    /// Calls under way, whatever pays for them.
    package var calls: Int64

    /// Makes a value.
    package init(held: Int64, calls: Int64) {
        self.held = held
        self.calls = calls
    }
}

/// What movements of one kind come to on a customer's account.
package struct MovementTotal: Hashable, Sendable {
    /// What for.
    package var kind: Transfer.Kind
    /// How many.
    package var count: Int64
    /// What came onto the account, in micro-credits.
    package var credited: Int64
    /// What left it, in micro-credits.
    package var debited: Int64

    /// Makes a value.
    package init(kind: Transfer.Kind, count: Int64, credited: Int64, debited: Int64) {
        self.kind = kind
        self.count = count
        self.credited = credited
        self.debited = debited
    }
}

/// What a statement needs of one place of a customer's history.
package struct HistoryPlace: Hashable, Sendable {
    /// The latest moment that the history had reached there: the greatest up to and with the
    /// place.
    package var reachedAt: Timestamp
    /// Credits after its movement, in micro-credits.
    package var postedAfter: Int64

    /// Makes a value.
    package init(reachedAt: Timestamp, postedAfter: Int64) {
        self.reachedAt = reachedAt
        self.postedAfter = postedAfter
    }
}

/// A statement's two sides differ: the store was changed by something else than these rules.
package struct StatementMismatch: Error, Hashable, Sendable {
    /// What differs, in a sentence for an operator.
    package let summary: String
}
