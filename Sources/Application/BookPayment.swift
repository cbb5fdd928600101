internal import Accounts
internal import Operations
package import Orders
package import TollgateKernel

/// What became of a trade that WeChat says is paid.
package enum BookingVerdict: Hashable, Sendable {
    /// Booked and delivered now.
    case delivered(OrderID)
    /// Booked before; nothing changed.
    case alreadyBooked(OrderID)
    /// Booked, but the account could not receive: an incident stands.
    case undelivered(OrderID)
    /// Recorded as an incident; nothing was credited.
    case incident(String)
    /// No such order here (it may be racing its own insertion): ask to be told again.
    case unknownOrder
    /// The trade is not paid; nothing changed.
    case notPaid
}

/// Books a payment: one transaction from the notification's row to the message that tells of it.
package struct BookPayment: Sendable {
    private let ports: Ports

    /// Makes the use case.
    package init(_ ports: Ports) { self.ports = ports }

    /// Books what a verified notification says.
    ///
    /// Repetitions, also parallel ones, book once.
    package func book(_ notification: VerifiedPaymentNotification) async throws -> BookingVerdict {
        try await book(
            notification.trade, evidence: notification.notificationID,
            notificationID: notification.notificationID)
    }

    /// Books what a query answered.
    package func book(queried trade: RemoteTrade) async throws -> BookingVerdict {
        try await book(trade, evidence: "query", notificationID: nil)
    }

    private func book(
        _ trade: RemoteTrade, evidence: String, notificationID: String?
    ) async throws -> BookingVerdict {
        let now = ports.clock.now()
        return try await ports.store.write { [ports] tx in
            try Booking(tx: tx, ports: ports, trade: trade, evidence: evidence, now: now)
                .run(notificationID: notificationID)
        }
    }
}

/// The steps of one booking inside its transaction.
private struct Booking {
    let tx: any Transaction
    let ports: Ports
    let trade: RemoteTrade
    let evidence: String
    let now: Timestamp

    func run(notificationID: String?) throws -> BookingVerdict {
        if let notificationID {
            _ = try tx.orders.insertNotification(
                id: notificationID, outTradeNumber: trade.outTradeNumber, at: now)
        }
        guard trade.isPaid else { return .notPaid }
        guard let order = try tx.orders.order(outTradeNumber: trade.outTradeNumber) else {
            return try unknownOrder()
        }
        guard let transactionID = trade.transactionID else {
            return try mismatch(order, "A paid trade came without a transaction id.")
        }
        if let payment = try tx.orders.payment(transactionID: transactionID) {
            guard payment.order == order.id else {
                return try mismatch(order, "One transaction id came for two orders.")
            }
            // Booked as money that bought nothing: the order still waits for its price.
            if order.state.acceptsPayment { return .incident("payment_mismatch") }
            return .alreadyBooked(order.id)
        }
        // The money went back before it was booked: nothing is owed either way.
        if trade.state == .refunded {
            return try mismatch(order, "A payment went back before it was booked here.")
        }
        if case .mismatch(let sentence) = PaymentCheck.judge(trade: trade, order: order) {
            try bookOwedBack(order, transactionID: transactionID)
            return try mismatch(order, sentence)
        }
        if let told = try ledger.recordedPayment(key: Self.key(transactionID)), told != order.total
        {
            // Which amount is true nobody here can know, so it does not become the order's price.
            try bookOwedBack(order, transactionID: transactionID)
            return try mismatch(
                order,
                "This payment was told as \(told) before its order was known; now it is told as "
                    + "\(order.total)."
            )
        }
        return try record(order, transactionID: transactionID)
    }

    private func record(_ order: Order, transactionID: String) throws -> BookingVerdict {
        guard order.state.acceptsPayment else {
            // Money for an order that has been paid already: it is in the books, but buys nothing.
            try bookOwedBack(order, transactionID: transactionID)
            try incident(
                .duplicatePayment, key: "duplicate_payment:\(transactionID)",
                reference: order.id.description,
                "A second payment came for an order that was paid already; it has to go back.")
            return .incident("duplicate_payment")
        }
        guard let account = try tx.accounts.account(order.account), account.deletedAt == nil else {
            // Deleted while the order was closed: what nobody can receive is no sale.
            try bookOwedBack(order, transactionID: transactionID)
            try incident(
                .undelivered, key: "undelivered:\(order.id)", reference: order.id.description,
                "A payment came for a closed order whose account was deleted; it has to go back.")
            return .undelivered(order.id)
        }
        let paidAt = trade.paidAt ?? now
        try tx.orders.insert(
            PaymentRecord(
                transactionID: transactionID, order: order.id, total: order.total, paidAt: paidAt,
                bookedAt: now))
        let reference = order.id.description
        let isNew = try ledger.recordPayment(
            order.total, as: .sale, key: Self.key(transactionID), reference: reference, at: now)
        if !isNew {
            // It came when the order was not known, and was put aside.
            _ = try ledger.acceptOwedPayment(
                order.total, key: "accepted:\(transactionID)", reference: reference, at: now)
        }
        var (paid, event) = try order.moving(cause: .paymentBooked, at: now, evidence: evidence)
        paid.paidAt = paidAt
        paid.transactionID = transactionID
        try tx.orders.insert(event)
        return try deliver(paid, replacing: order)
    }

    private var ledger: Ledger {
        Ledger(tx.ledger, accounts: tx.accounts, identifiers: ports.identifiers)
    }

    private static func key(_ transactionID: String) -> String { "payment:\(transactionID)" }

    /// Money for an order that is not here, as after the restore of a backup: it is in the books,
    /// and WeChat is asked to tell us again.
    private func unknownOrder() throws -> BookingVerdict {
        if trade.state == .success, let transactionID = trade.transactionID,
            let total = Self.fen(of: trade)
        {
            _ = try ledger.recordPayment(
                total, as: .owedBack, key: Self.key(transactionID),
                reference: trade.outTradeNumber, at: now)
        }
        try incident(
            .unknownOrder, key: "unknown_order:\(trade.outTradeNumber)",
            reference: trade.outTradeNumber,
            "WeChat Pay tells of a payment for an order that is not here.")
        return .unknownOrder
    }

    /// Books money that came for an order and buys nothing; what was told of it first stands.
    private func bookOwedBack(_ order: Order, transactionID: String) throws {
        let told = try ledger.recordedPayment(key: Self.key(transactionID))
        guard let total = told ?? Self.fen(of: trade) else { return }
        try tx.orders.insert(
            PaymentRecord(
                transactionID: transactionID, order: order.id, total: total,
                paidAt: trade.paidAt ?? now, bookedAt: now))
        _ = try ledger.recordPayment(
            total, as: .owedBack, key: Self.key(transactionID),
            reference: order.id.description, at: now)
    }

    /// What came in fen; nil for another currency or no amount: our books have no such unit, the
    /// incident alone tells of it.
    private static func fen(of trade: RemoteTrade) -> Money? {
        guard trade.currency == "CNY", let total = trade.total, total.fen > 0 else { return nil }
        return total
    }

    private func deliver(_ paid: Order, replacing order: Order) throws -> BookingVerdict {
        try tx.orders.save(paid, replacing: order)
        if paid.state == .paidAfterClose {
            try incident(
                .paidAfterClose, key: "paid_after_close:\(order.id)",
                reference: order.id.description,
                "A payment came for a closed order; it was delivered all the same.")
        }
        _ = try ledger.grant(
            paid.credits, to: paid.account, kind: .purchase, from: .issued, key: "order:\(paid.id)",
            origin: .order, order: paid.id, reference: paid.id.description,
            expiresAt: paid.lifetimeDays.map { now.adding(milliseconds: $0 * 86_400_000) }, at: now)
        try tx.accounts.permit(paid.models, for: paid.account)
        let (delivered, event) = try paid.moving(cause: .delivered, at: now, evidence: evidence)
        try tx.orders.save(delivered, replacing: paid)
        try tx.orders.insert(event)
        try tx.outbox.insert(
            OutboxMessage(
                id: OutboxID(rawValue: ports.identifiers.next()), kind: .creditsArrived,
                account: paid.account,
                values: [
                    "product": paid.productName, "credits": paid.credits.description,
                    "total": paid.total.description,
                ], state: .waiting, attempts: 0, nextAttemptAt: now, createdAt: now))
        return .delivered(order.id)
    }

    private func mismatch(_ order: Order, _ sentence: String) throws -> BookingVerdict {
        try incident(
            .amountMismatch,
            key: "payment_mismatch:\(order.id):\(trade.transactionID ?? evidence)",
            reference: order.id.description, sentence)
        return .incident("payment_mismatch")
    }

    private func incident(
        _ kind: Incident.Kind, key: String, reference: String, _ summary: String
    ) throws {
        try tx.operations.insert(
            Incident(key: key, kind: kind, reference: reference, summary: summary, at: now))
    }
}
