internal import TollgateKernel

/// Charges of calls, as transfers have them or as holds ask for them.
struct ChargeSum: Equatable {
    private var sum = HashSum()

    /// Who pays for a call.
    enum Payer: Hashable {
        /// Who made it.
        case customer(Int64?)
        /// We do.
        case ourselves
        /// No hold asks for such a charge.
        case nobody
    }

    /// Adds the charge of a hold.
    mutating func add(hold: Int64, amount: Int64, paidBy payer: Payer) {
        var hasher = Hasher()
        hasher.combine(hold)
        hasher.combine(amount)
        hasher.combine(payer)
        sum.add(hasher)
    }
}

/// What the transfers under the keys of calls' ends came to.
struct CallCharges {
    /// Charges of calls that were settled, and what is no charge but stands under such a key.
    var settled = ChargeSum()
    /// What was written off for holds after they had expired.
    private(set) var late: [Int64: Int64] = [:]
    /// Whether there were more of those than are kept, or two of one hold.
    private(set) var isLateLeftOut = false

    /// Takes a transfer in, if it stands under the key of a call's end.
    mutating func take(_ key: LentText, _ kind: LentText, amount: Int64, customer: Int64?) {
        guard let hold = HoldTransferAudit.hold(of: key) else { return }
        if kind.reads("usage") {
            settled.add(hold: hold, amount: amount, paidBy: .customer(customer))
        } else if kind.reads("promotion") {
            settled.add(hold: hold, amount: amount, paidBy: .ourselves)
        } else if !kind.reads("overrun") {
            settled.add(hold: hold, amount: amount, paidBy: .nobody)
        } else if late.count == Limits.auditLateChargesKept
            || late.updateValue(amount, forKey: hold) != nil
        {
            isLateLeftOut = true
        }
    }
}
