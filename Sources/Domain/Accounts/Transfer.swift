package import TollgateKernel

/// The system's own accounts.
///
/// They keep no stored balance, so that they are no hot rows: the audit adds their transfers.
package enum SystemAccount: String, Hashable, Sendable, CaseIterable {
    /// Credits: where sold credits come from.
    case issued
    /// Credits: what answers cost.
    case revenue
    /// Credits: what is given away: welcome grants, free trials, white-listed calls.
    case promotion
    /// Credits: what nobody used in time, or left behind.
    case expired
    /// Credits: usage above its hold.
    case writtenOff = "written_off"
    /// Fen: what WeChat Pay owes us.
    case wechatClearing = "wechat_clearing"
    /// Fen: what was sold.
    case sales
    /// Fen: what has to go back or went back: money that bought nothing arrives here until it is
    /// returned.
    case refunds
}

/// One side of a transfer.
package enum LedgerAccount: Hashable, Sendable {
    /// A customer's credits.
    case customer(AccountID)
    /// One of ours.
    case system(SystemAccount)
}

/// The two units; no transfer mixes them.
package enum LedgerUnit: String, Hashable, Sendable {
    case fen
    case microCredits = "micro_credits"
}

/// One movement between two accounts: never changed, never deleted.
package struct Transfer: Hashable, Sendable {
    /// What a movement is for.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// promotion → customer, once per person.
        case welcome
        /// wechat_clearing → sales, in fen; → refunds if it bought nothing.
        case payment
        /// issued → customer.
        case purchase
        /// customer → revenue.
        case usage
        /// promotion → revenue, for a free or white-listed call.
        case promotion
        /// written_off → revenue: usage above the hold.
        case overrun
        /// customer → expired.
        case expiry
        /// customer → expired: what a person who left had not used.
        case forfeit
        /// An operator's correction, with a reason.
        case adjustment
        /// Money or credits going back.
        case refund
    }

    /// The transfer.
    package var id: TransferID
    /// Unique for ever: what makes the movement happen once, such as `welcome:…` or `order:…`.
    package var key: String
    /// What for.
    package var kind: Kind
    /// In which unit.
    package var unit: LedgerUnit
    /// Where it leaves.
    package var from: LedgerAccount
    /// Where it arrives.
    package var to: LedgerAccount
    /// How much, in the unit; always positive.
    package var amount: Int64
    /// What it is about, at most 64 bytes: an order, a request.
    package var reference: String
    /// When.
    package var at: Timestamp

    /// Makes a transfer value; ``Ledger`` posts it.
    package init(
        id: TransferID, key: String, kind: Kind, unit: LedgerUnit, from: LedgerAccount,
        to: LedgerAccount, amount: Int64, reference: String, at: Timestamp
    ) {
        self.id = id
        self.key = key
        self.kind = kind
        self.unit = unit
        self.from = from
        self.to = to
        self.amount = amount
        self.reference = reference
        self.at = at
    }
}

/// A transfer's place in a customer's hash chain.
package struct ChainLink: Hashable, Sendable {
    /// The place in the account's history, from 1.
    package var sequence: Int64
    /// SHA-256 over the previous hash and the transfer (``LedgerChain``), 32 bytes.
    package var hash: [UInt8]
    /// The account's posted credits after the transfer.
    package var postedAfter: Int64

    /// Makes a link.
    package init(sequence: Int64, hash: [UInt8], postedAfter: Int64) {
        self.sequence = sequence
        self.hash = hash
        self.postedAfter = postedAfter
    }
}

/// A transfer as it stands in a customer's history.
package struct LedgerEntry: Hashable, Sendable {
    /// The movement.
    package var transfer: Transfer
    /// Its place.
    package var link: ChainLink

    /// Makes an entry.
    package init(transfer: Transfer, link: ChainLink) {
        self.transfer = transfer
        self.link = link
    }
}

extension Transfer {
    /// The customer on one of its sides; nil if it moves between our own accounts.
    package var customer: AccountID? {
        for side in [from, to] {
            if case .customer(let account) = side { return account }
        }
        return nil
    }
}
