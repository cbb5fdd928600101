internal import TollgateKernel

/// Part of C6: each hold ended with the transfer it settled, and with no other.
///
/// A query would have to spell every hold's key (`settle:` and its id in Crockford base32) before
/// it could look the transfer up, which took a quarter of an audit. Both sides are in the order
/// of the ids instead: a slice of holds is read, then the transfers whose keys lie between its
/// first and its last.
struct HoldTransferAudit {
    let connection: StoreConnection
    /// Holds that are read at once.
    var sliceRows = Limits.auditSliceRows

    private struct End {
        var hold: Int64
        var account: Int64
        var source: String
        var state: String
        var settled: Int64
    }

    private struct Charge {
        var hold: Int64?
        var kind: String
        var amount: Int64
        var customer: Int64?
    }

    /// Gives each violation to a closure, as a sentence.
    func forEachViolation(_ tell: (String) -> Void) throws(StoreError) {
        var last = Int64.min
        while true {
            let ends = try connection.all(
                Text.holds, last, Int64(sliceRows)
            ) { row in
                End(
                    hold: row.integer(0), account: row.integer(1), source: row.text(2),
                    state: row.text(3), settled: row.integer(4))
            }
            guard let first = ends.first, let end = ends.last else { return }
            let charges = try charges(from: first.hold, to: end.hold)
            for end in ends where Self.isWrong(end, charges[end.hold]) {
                tell(Self.sentence(end, charges[end.hold]))
            }
            guard ends.count == sliceRows else { return }
            last = end.hold
        }
    }

    /// Keys are unique, so there are as many as holds, unless somebody wrote others between them:
    /// those are no hold's, and the sums tell of them.
    private func charges(
        from first: Int64, to last: Int64
    ) throws(StoreError) -> [Int64: Charge] {
        let rows = try connection.all(
            Text.charges, Self.prefix + CrockfordBase32.encode(first),
            Self.prefix + CrockfordBase32.encode(last)
        ) { row in
            Charge(
                hold: Self.hold(of: row.text(0)), kind: row.text(1), amount: row.integer(2),
                customer: row.optionalInteger(3))
        }
        return rows.reduce(into: [:]) { charges, charge in
            if let hold = charge.hold { charges[hold] = charge }
        }
    }

    private static func hold(of key: String) -> Int64? {
        let digits = String(key.dropFirst(prefix.count))
        // Only as it is written: a key in another letter case is another key.
        guard let hold = CrockfordBase32.decodeIdentifier(digits),
            CrockfordBase32.encode(hold) == digits
        else { return nil }
        return hold
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

    private static let prefix = "settle:"

    private enum Text {
        static let holds = SQL(
            """
            SELECT id, account, source, state, settled FROM holds
            WHERE id > $1 ORDER BY id LIMIT $2
            """)
        static let charges = SQL(
            """
            SELECT transfer_key, kind, amount, customer FROM transfers
            WHERE transfer_key BETWEEN $1 AND $2
            """)
    }
}
