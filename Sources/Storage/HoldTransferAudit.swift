internal import TollgateKernel

/// C6's walk over all holds: each is in a state there is, and ended with the transfer it settled
/// and with no other, and what was written off above it is of a hold that was settled to its end.
///
/// The price of an answer is kept nowhere but in its charge. What a charge above a hold came to,
/// and whether there was one, can therefore not be derived: an overrun whose amount was changed,
/// that was dropped, or that was made up for a hold that was settled to its end or expired, is not
/// seen. An overrun of any other hold, or of none, is: by itself or by the sum.
///
/// A query would have to spell every hold's key (`settle:` and its id in Crockford base32) before
/// it could look the transfer up, which took a quarter of an audit. So what the holds ask for is
/// added up, beside what the pass over the transfers found (``CallCharges``), and only if that is
/// not the same is each hold looked at. Then both sides are in the order of the ids: a slice of
/// holds is read, then the transfers whose keys lie between its first and its last.
struct HoldTransferAudit {
    let connection: StoreConnection
    /// Holds that are read at once.
    var sliceRows = Limits.auditSliceRows

    /// What the holds came to.
    struct Totals {
        /// Holds.
        var rows: Int64 = 0
        /// Micro-credits that were settled from people's credits.
        var settledCredits: Int128 = 0
        /// Micro-credits that were settled from ours: free and white-listed calls.
        var settledPromotion: Int128 = 0
        /// Micro-credits that were written off for holds there are.
        var writtenOff: Int128 = 0
        /// Holds that are in no state there is, that state more than they may, or that have an
        /// overrun although they were not settled to their end.
        var states = Violations()
    }

    private struct End {
        var hold: Int64
        var account: Int64
        var source: String
        var state: String
        var settled: Int64
        var amount: Int64
    }

    private struct Charge {
        var kind: String
        var amount: Int64
        var customer: Int64?
    }

    /// What the holds came to if each has its charge and no hold has another; nil if that is not
    /// so, or not known, and each has to be looked at.
    func totals(of charges: CallCharges) throws(StoreError) -> Totals? {
        guard !charges.isLateLeftOut else { return nil }
        var totals = Totals()
        var asked = ChargeSum()
        try forEachSlice(&totals) { ends, overruns, totals throws(StoreError) in
            for end in ends where end.state == "settled" && end.settled > 0 {
                asked.add(
                    hold: end.hold, amount: end.settled,
                    paidBy: end.source == "credits" ? .customer(end.account) : .ourselves)
            }
            guard !overruns.isEmpty else { return }
            for end in ends { Self.count(nil, overruns[end.hold], of: end, &totals) }
        }
        guard asked == charges.settled else { return nil }
        // After an expiry, and then only, a write-off may stand in the charge's place.
        for (hold, amount) in charges.late {
            let state = try connection.first(Text.state, hold) { $0.text(0) }
            guard state == "expired" else { return nil }
            totals.writtenOff += Int128(amount)
        }
        return totals
    }

    /// Gives each violation to a closure, as a sentence; what the holds came to.
    @discardableResult
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) -> Totals {
        var totals = Totals()
        try forEachSlice(&totals) { ends, overruns, totals throws(StoreError) in
            guard let first = ends.first, let last = ends.last else { return }
            let charges = try self.charges(Self.prefix, from: first.hold, to: last.hold)
            for end in ends {
                let charge = charges[end.hold]
                if Self.isWrong(end, charge) { tell(Self.sentence(end, charge)) }
                Self.count(charge, overruns[end.hold], of: end, &totals)
            }
        }
        return totals
    }

    /// The hold of a call's end by the key of its charge; nil for any other key.
    static func hold(of key: LentText) -> Int64? { hold(of: key, behind: prefix) }

    /// Reads all holds, a slice at a time, with what was written off above them.
    private func forEachSlice(
        _ totals: inout Totals,
        _ body: ([End], [Int64: Charge], inout Totals) throws(StoreError) -> Void
    ) throws(StoreError) {
        var last = Int64.min
        while true {
            let ends = try connection.all(Text.holds, last, Int64(sliceRows)) { row in
                let end = End(
                    hold: row.integer(0), account: row.integer(1), source: row.text(2),
                    state: row.text(3), settled: row.integer(4), amount: row.integer(5))
                Self.count(end, hasEnded: !row.isNull(6), &totals)
                return end
            }
            guard let first = ends.first, let end = ends.last else { return }
            let overruns = try charges(Self.overrunPrefix, from: first.hold, to: end.hold)
            try body(ends, overruns, &totals)
            guard ends.count == sliceRows else { return }
            last = end.hold
        }
    }

    private static func count(
        _ end: End, hasEnded: Bool, _ totals: inout Totals
    ) {
        totals.rows += 1
        if end.source == "credits" {
            totals.settledCredits += Int128(end.settled)
        } else {
            totals.settledPromotion += Int128(end.settled)
        }
        let isKnown = ["held", "settled", "released", "expired"].contains(end.state)
        guard
            !isKnown || (end.state == "held") == hasEnded || end.settled < 0
                || end.settled > end.amount || end.state != "settled" && end.settled != 0
        else { return }
        totals.states.tell(
            "hold \(end.hold) is \(end.state), settled \(end.settled) of \(end.amount)")
    }

    /// Counts what was written off for a hold: after its expiry under its own key, above its amount
    /// under another.
    private static func count(
        _ charge: Charge?, _ overrun: Charge?, of end: End, _ totals: inout Totals
    ) {
        if let charge, charge.kind == "overrun" { totals.writtenOff += Int128(charge.amount) }
        guard let overrun else { return }
        if overrun.kind == "overrun" { totals.writtenOff += Int128(overrun.amount) }
        guard
            overrun.kind != "overrun" || end.state != "settled" || end.settled != end.amount
                || end.source == "own_key"
        else { return }
        totals.states.tell(
            "hold \(end.hold) is \(end.state), settled \(end.settled) of \(end.amount); its "
                + "overrun: \(overrun.kind) \(overrun.amount)")
    }

    /// Keys are unique, so there are as many as holds, unless somebody wrote others between them:
    /// those are no hold's, and the sums tell of them.
    private func charges(
        _ prefix: StaticString, from first: Int64, to last: Int64
    ) throws(StoreError) -> [Int64: Charge] {
        var charges: [Int64: Charge] = [:]
        _ = try connection.all(
            Text.charges, "\(prefix)\(CrockfordBase32.encode(first))",
            "\(prefix)\(CrockfordBase32.encode(last))"
        ) { row in
            guard let hold = Self.hold(of: row.lent(0), behind: prefix) else { return }
            charges[hold] = Charge(
                kind: row.text(1), amount: row.integer(2), customer: row.optionalInteger(3))
        }
        return charges
    }

    private static func hold(of key: LentText, behind prefix: StaticString) -> Int64? {
        let count = prefix.utf8CodeUnitCount
        guard key.bytes.count > count,
            LentText(UnsafeRawBufferPointer(rebasing: key.bytes[..<count])).reads(prefix)
        else { return nil }
        // Only as it is written: a key in another letter case is another key.
        return CrockfordBase32.decodeExactly(UnsafeRawBufferPointer(rebasing: key.bytes[count...]))
    }

    private static func isWrong(_ end: End, _ charge: Charge?) -> Bool {
        switch end.state {
        case "settled" where end.settled > 0:
            guard let charge else { return true }
            let isCredits = end.source == "credits"
            return charge.amount != end.settled
                || charge.kind != (isCredits ? "usage" : "promotion")
                || isCredits && charge.customer != end.account
        // After an expiry only a write-off may have it.
        case "expired": return charge.map { $0.kind != "overrun" } ?? false
        default: return charge != nil
        }
    }

    private static func sentence(_ end: End, _ charge: Charge?) -> String {
        let transfer = charge.map { "\($0.kind) \($0.amount)" } ?? "none"
        return "hold \(end.hold) is \(end.state), settled \(end.settled); its transfer: \(transfer)"
    }

    private static let prefix: StaticString = "settle:"
    private static let overrunPrefix: StaticString = "overrun:"

    private enum Text {
        static let holds = SQL(
            """
            SELECT id, account, source, state, settled, amount, ended_at FROM holds
            WHERE id > $1 ORDER BY id LIMIT $2
            """)
        static let state = SQL("SELECT state FROM holds WHERE id = $1")
        static let charges = SQL(
            """
            SELECT transfer_key, kind, amount, customer FROM transfers
            WHERE transfer_key BETWEEN $1 AND $2
            """)
    }
}
