package import TollgateKernel

/// Something a person has to look at.
package struct Incident: Hashable, Sendable {
    /// What kind.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A payment whose amount or currency is not the order's.
        case amountMismatch = "amount_mismatch"
        /// A second payment for an order.
        case duplicatePayment = "duplicate_payment"
        /// A payment whose order is unknown.
        case unknownOrder = "unknown_order"
        /// Paid, but the account could not receive.
        case undelivered
        /// Money for a closed order.
        case paidAfterClose = "paid_after_close"
        /// Our keys, clock or configuration at a gateway are wrong.
        case gatewayMisconfigured = "gateway_misconfigured"
        /// The store was replaced by a backup: what came after it is not in the books.
        case storeRestored = "store_restored"
        /// A message that could not be sent and was given up.
        case undeliverableMessage = "undeliverable_message"
        /// An account's statement whose two sides differ.
        case statementMismatch = "statement_mismatch"
        /// A hold whose time is out and that cannot be ended.
        case holdStuck = "hold_stuck"
        /// A lot whose time is out and whose rest cannot be moved.
        case lotStuck = "lot_stuck"

        /// Whether it is about money or the books: such incidents are kept for ever.
        package var isAboutMoney: Bool {
            switch self {
            case .gatewayMisconfigured, .undeliverableMessage: false
            case .amountMismatch, .duplicatePayment, .unknownOrder, .undelivered, .paidAfterClose,
                .storeRestored, .statementMismatch, .holdStuck, .lotStuck:
                true
            }
        }
    }

    /// Unique: the same trouble is told once.
    package var key: String
    /// What kind.
    package var kind: Kind
    /// What it is about, at most 64 bytes.
    package var reference: String
    /// A sentence; no secrets, no openids.
    package var summary: String
    /// When.
    package var at: Timestamp

    /// Makes a value.
    package init(key: String, kind: Kind, reference: String, summary: String, at: Timestamp) {
        self.key = key
        self.kind = kind
        self.reference = reference
        self.summary = summary
        self.at = at
    }
}

/// One checker's verdict over the books.
package struct AuditFinding: Hashable, Sendable {
    /// The checker, such as `C1` (`reference`, faults 3.2).
    package var check: String
    /// What it proves.
    package var summary: String
    /// Rows looked at.
    package var rows: Int64
    /// Violations, at most ``Limits/auditViolationsTold``.
    package var violations: [String]
    /// Violations in all.
    package var violationCount: Int64

    /// Makes a value.
    package init(
        check: String, summary: String, rows: Int64, violations: [String], violationCount: Int64
    ) {
        self.check = check
        self.summary = summary
        self.rows = rows
        self.violations = violations
        self.violationCount = violationCount
    }
}

/// What a store keeps about itself.
package enum StoreFact: String, Hashable, Sendable {
    /// The fingerprint of the identity key its people are found by, in hexadecimal.
    case identityKey = "identity_key"
}

/// Stores incidents and re-adds the books.
///
/// Every method runs inside one transaction.
package protocol OperationsRepository {
    /// Adds an incident; false if its key stands already.
    @discardableResult
    func insert(_ incident: Incident) throws(StoreError) -> Bool

    /// Incidents, newest first.
    func incidents(limit: Int) throws(StoreError) -> [Incident]

    /// What the store keeps about itself under a name; nil if nothing.
    func fact(_ name: StoreFact) throws(StoreError) -> String?

    /// Keeps a fact for ever; false, and nothing changed, if there is one of that name.
    @discardableResult
    func insert(_ fact: StoreFact, _ content: String) throws(StoreError) -> Bool

    /// Re-adds the books: C1 (the transfers of each unit add up to zero over all accounts, and no
    /// transfer mixes units), C2 (posted = re-added transfers = sum of lots' remaining; held = sum
    /// of open credit holds = sum of lots' held = sum of their reservations), C3 (no customer
    /// account below zero), C6 (each hold ended at most once, settled <= amount, and its usage
    /// transfer equals what it settled), C7 (each paid order has its payment, its money and its
    /// credits, and none of them stands alone), C8 (orders moved along edges, as their histories
    /// tell), C9 (every customer's hash chain is whole and ends at their row).
    func auditBooks() throws(StoreError) -> [AuditFinding]

    /// What C13 consists of on this engine; first what takes longest.
    func engineParts() throws(StoreError) -> [EnginePart]

    /// One part of C13: the engine's integrity, the schema as it was made, rules and foreign keys.
    func auditEngine(_ part: EnginePart) throws(StoreError) -> AuditFinding
}

extension OperationsRepository {
    /// ``auditBooks()`` and ``auditEngine()``, over one state.
    package func audit() throws(StoreError) -> [AuditFinding] {
        try auditBooks() + [auditEngine()]
    }
}
