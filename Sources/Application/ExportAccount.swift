package import Accounts
package import Auth
package import Chat
package import Operations
package import Orders
package import TollgateKernel
internal import Weixin

/// What is kept about a person, for that person, in pages.
///
/// Left out is what is the books' or the operators' own: lots that are used up, the steps of an
/// order, permissions for models, incidents and operators' acts.
///
/// Each page is one read of one section, never from a replica: one that lags would lose the rows
/// between two pages. Every section comes, in the order of ``Section``, also an empty one. Pages
/// are of different moments, and none tells a row twice. What a person asked and was answered is
/// not kept, so it is not told; secrets and their digests are not told to anybody. What waits for a
/// login (codes, attempts) is gone within minutes and left out.
package struct ExportAccount: Sendable {
    /// What a page is about.
    package enum Section: String, Hashable, Sendable, CaseIterable {
        /// The account itself, its balance, its own keys, whether its person follows.
        case account
        /// Days with free calls.
        case trialDays
        /// Movements of credits, oldest first.
        case movements
        /// Orders, newest first, each with what was paid.
        case orders
        /// Calls by request id, with what they used.
        case calls
        /// Questions that were refused.
        case refusals
        /// API keys.
        case apiKeys
        /// Login sessions.
        case loginSessions
        /// Messages that were sent to the person.
        case messages
    }

    /// The account itself.
    package struct Profile: Sendable {
        /// The account.
        package var account: Account
        /// The openid, which WeChat gave us.
        package var openID: String
        /// Its balance.
        package var ledger: CustomerLedger
        /// Lots with something left; at most ``Limits/exportLots``.
        package var lots: [Lot]
        /// Keys of its own, sealed as they are.
        package var ownKeys: [OwnKey]
        /// Whether its person follows, and since when; nil if that is not known.
        package var following: (isFollowing: Bool, since: Timestamp)?
    }

    /// Rows of one section.
    package enum Rows: Sendable {
        case account(Profile)
        case trialDays([TrialDay])
        case movements([LedgerEntry])
        case orders([(order: Order, payments: [PaymentRecord])])
        case calls([(hold: Hold, usage: UsageRecord?)])
        case refusals([RefusedQuestion])
        case apiKeys([APIKey])
        case loginSessions([LoginSession])
        case messages([OutboxMessage])
    }

    /// One page.
    package struct Page: Sendable {
        /// What it is about.
        package var section: Section
        /// Its rows; at most ``Limits/exportRows``.
        package var rows: Rows
        /// Where the next begins; nil when this is the last.
        package var next: String?
    }

    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// The page that begins where the one before said; nil is the first.
    ///
    /// - Throws: `unauthenticated` if the session is over, `invalid_request` for a place that no
    ///   page named.
    package func page(after cursor: String?, for token: SessionToken) async throws -> Page {
        let now = ports.clock.now()
        let digest = try token.digest
        let place = try cursor.map(Place.init(text:)) ?? Place(section: .account)
        return try await ports.store.read { tx in
            let caller = try Caller.identify(.session(digest: digest), tx, now)
            return try Reading(tx: tx, account: caller.account, place: place).page()
        }
    }
}

/// Where a page begins: a section, and the row after which it does.
private struct Place {
    var section: ExportAccount.Section
    /// The last row before it; empty at a section's beginning.
    var after = ""

    init(section: ExportAccount.Section) { self.section = section }

    init(text: String) throws(Failure) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.utf8.count <= Limits.exportCursorBytes, parts.count == 2,
            let section = ExportAccount.Section(rawValue: String(parts[0]))
        else { throw Self.unknown }
        self.section = section
        after = String(parts[1])
    }

    /// The number of the last row before it; nil at the beginning.
    func number() throws(Failure) -> Int64? {
        guard !after.isEmpty else { return nil }
        guard let number = Int64(after) else { throw Self.unknown }
        return number
    }

    static let unknown = Failure(
        .invalidRequest, "An export goes on where its last page said; begin anew.")
}

/// One page as one transaction reads it.
private struct Reading {
    typealias Section = ExportAccount.Section

    let tx: any Transaction
    let account: Account
    let place: Place

    private var limit: Int { Limits.exportRows }

    func page() throws -> ExportAccount.Page {
        switch place.section {
        case .account:
            return page(.account(try profile()), of: [account], last: Optional<Int64>.none)
        case .trialDays:
            let day = try place.number().map(ShanghaiDay.init(number:))
            let rows = try tx.accounts.trialDays(of: account.id, after: day, limit: limit)
            return page(.trialDays(rows), of: rows, last: rows.last?.day.number)
        case .movements:
            let rows = try tx.ledger.history(
                after: account.id, sequence: place.number() ?? 0, limit: limit
            ).filter { $0.transfer.customer == account.id }
            return page(.movements(rows), of: rows, last: rows.last?.link.sequence)
        case .orders:
            let rows = try tx.orders.orders(
                of: account.id, before: place.number().map(OrderID.init(rawValue:)), limit: limit)
            let paid = try rows.map { order in
                (
                    order: order,
                    payments: try tx.orders.payments(
                        of: order.id, limit: Limits.exportPaymentsOfOrder)
                )
            }
            return page(.orders(paid), of: rows, last: rows.last?.id.rawValue)
        case .calls:
            let after = place.after.isEmpty ? nil : IdempotencyKey(rawValue: place.after)
            let rows = try tx.ledger.holds(of: account.id, after: after, limit: limit)
            let calls = try rows.map { (hold: $0, usage: try tx.chat.usage(of: $0.id)) }
            return page(.calls(calls), of: rows, last: rows.last?.requestID.rawValue)
        case .refusals:
            let rows = try tx.chat.refusals(
                of: account.id, after: place.number() ?? 0, limit: limit)
            return page(.refusals(rows), of: rows, last: rows.last?.number)
        case .apiKeys:
            let rows = try tx.apiKeys.apiKeys(
                of: account.id, after: place.number().map(APIKeyID.init(rawValue:)), limit: limit)
            return page(.apiKeys(rows), of: rows, last: rows.last?.id.rawValue)
        case .loginSessions:
            let rows = try tx.auth.loginSessions(
                of: account.id, after: place.number().map(LoginSessionID.init(rawValue:)),
                limit: limit)
            return page(.loginSessions(rows), of: rows, last: rows.last?.id.rawValue)
        case .messages:
            let rows = try tx.outbox.messages(
                of: account.id, after: place.number().map(OutboxID.init(rawValue:)), limit: limit)
            return page(.messages(rows), of: rows, last: rows.last?.id.rawValue)
        }
    }

    /// A page of rows; the next one goes on after the last if there may be more, else with the next
    /// section.
    private func page<Row>(
        _ told: ExportAccount.Rows, of rows: [Row], last: (some CustomStringConvertible)?
    ) -> ExportAccount.Page {
        var next: String?
        if rows.count == limit, let last {
            next = "\(place.section.rawValue):\(last)"
        } else if let index = Section.allCases.firstIndex(of: place.section),
            index + 1 < Section.allCases.count
        {
            next = "\(Section.allCases[index + 1].rawValue):"
        }
        return ExportAccount.Page(section: place.section, rows: told, next: next)
    }

    private func profile() throws -> ExportAccount.Profile {
        guard let ledger = try tx.ledger.customerLedger(account.id) else {
            throw StoreError.corrupt("account \(account.id) has no ledger")
        }
        let openID = try tx.accounts.openID(of: account.id) ?? ""
        return ExportAccount.Profile(
            account: account, openID: openID, ledger: ledger,
            lots: try tx.ledger.openLots(of: account.id, limit: Limits.exportLots),
            ownKeys: try tx.ownKeys.ownKeys(of: account.id),
            following: try tx.pushes.following(openID: openID))
    }
}
