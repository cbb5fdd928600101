internal import Accounts
internal import Operations
package import Orders
package import TollgateKernel

/// Orders a product and gets what to pay with.
package struct PlaceOrder: Sendable {
    private let ports: Ports
    private let payments: any PaymentGateway
    private let bookPayment: BookPayment

    /// Makes the use case.
    package init(_ ports: Ports, payments: any PaymentGateway) {
        self.ports = ports
        self.payments = payments
        bookPayment = BookPayment(ports)
    }

    /// Makes an order, or finds the one made before with the same key, and asks WeChat Pay for its
    /// `code_url` if it has none yet.
    ///
    /// The order is durable before WeChat is called, so a notification can never find it missing;
    /// its number is reused on each repetition, so one order is paid once.
    ///
    /// A frozen account gets no code that it had not got before; what is paid with one that it has
    /// is delivered all the same.
    ///
    /// - Throws: `account_frozen`, `not_found` for an unknown product, `mismatch` if the key was
    ///   used for another product, `rate_limited` after ``Limits/unpaidOrdersOfSpan`` orders of a
    ///   day that WeChat did not refuse and nobody paid, `conflict` with
    ///   ``Limits/unpaidOrdersOfAccount`` that still can be, `unknown_outcome` or `unavailable` if
    ///   WeChat Pay did not answer (repeat with the key).
    package func place(
        product key: ProductKey, for account: AccountID, idempotencyKey: IdempotencyKey
    ) async throws -> Order {
        let now = ports.clock.now()
        let id = OrderID(rawValue: ports.identifiers.next())
        let order = try await ports.store.write { [ports] tx -> Order in
            let buyer = try tx.checkInUse(account)
            let isFrozen = buyer.status == .frozen
            if let known = try tx.orders.order(of: account, idempotencyKey: idempotencyKey) {
                guard known.product == key else {
                    throw Failure(
                        .mismatch,
                        "This idempotency key was used for another product; use a new one.")
                }
                // Whoever has its code may still pay it.
                guard !isFrozen || known.state != .created else { throw Self.frozen }
                guard Self.isToBeAsked(known, at: now) else { return known }
                // It counts while WeChat is asked again: the caller may hang up meanwhile.
                let asked = known.asking()
                try tx.orders.save(asked, replacing: known)
                return asked
            }
            guard !isFrozen else { throw Self.frozen }
            guard let product = try tx.orders.product(key), product.isEnabled else {
                throw Failure(.notFound, "There is no product \(key) on sale; list the products.")
            }
            try OrderPace(tx: tx, now: now).check(buyer)
            // One whose time is out counts no more, even while it cannot be closed: who cannot pay
            // it may order again.
            let unpaid = try tx.orders.unpaidOrders(of: account, at: now)
            guard unpaid < Limits.unpaidOrdersOfAccount else {
                throw Self.tooManyUnpaid
            }
            let order = Self.order(
                id, product, account, idempotencyKey, ports.policy, now
            ).asking()
            try tx.orders.insert(order)
            return order
        }
        guard Self.isToBeAsked(order, at: now) else { return order }
        return try await requestPayment(for: order)
    }

    private static func isToBeAsked(_ order: Order, at now: Timestamp) -> Bool {
        order.state == .created && order.expiresAt > now
    }

    private static let frozen = Failure(
        .accountFrozen, "This account is frozen and cannot buy; ask the operator.")

    private static let tooManyUnpaid = Failure(
        .conflict,
        "You have \(Limits.unpaidOrdersOfAccount) unpaid orders; pay one, or cancel one with "
            + "`tollgate orders cancel`, then order again.")

    private static func order(
        _ id: OrderID, _ product: Product, _ account: AccountID, _ key: IdempotencyKey,
        _ policy: ServicePolicy, _ now: Timestamp
    ) -> Order {
        Order(
            id: id, account: account, idempotencyKey: key,
            outTradeNumber: OrderNumber.outTradeNumber(for: id), product: product.key,
            productName: product.name, total: product.price, credits: product.credits,
            lifetimeDays: product.lifetimeDays, models: product.models, state: .created,
            codeURL: nil, createdAt: now,
            expiresAt: now.adding(milliseconds: policy.orderLifetimeMilliseconds), paidAt: nil,
            transactionID: nil, queryCount: 0,
            nextQueryAt: now.adding(milliseconds: policy.firstPaymentQueryMilliseconds))
    }

    /// Asks WeChat Pay for the code; that it is asked is stored already.
    private func requestPayment(for order: Order) async throws -> Order {
        let codeURL: String
        do {
            codeURL = try await payments.createNativeOrder(
                NativeOrderRequest(
                    outTradeNumber: order.outTradeNumber, description: order.productName,
                    total: order.total, expiresAt: order.expiresAt))
        } catch {
            if error.kind.isRefusal { try await noteRefusal(of: order.id) }
            return try await recover(order, from: error)
        }
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            // A notification may have overtaken this answer: then the order has moved on.
            guard let current = try tx.orders.order(order.id) else {
                throw StoreError.corrupt("order \(order.id) vanished")
            }
            guard current.state == .created else {
                // Given up meanwhile: nobody is given the code, but WeChat took the order, and who
                // gives up in time makes no more of them than others.
                if current.state == .closing || current.state == .closed {
                    var taken = current
                    taken.codeURL = codeURL
                    taken.refusedAt = nil
                    try tx.orders.save(taken, replacing: current)
                }
                return current
            }
            var (accepted, event) = try current.moving(
                cause: .accepted, at: now, evidence: "native order")
            accepted.codeURL = codeURL
            accepted.refusedAt = nil
            try tx.orders.save(accepted, replacing: current)
            try tx.orders.insert(event)
            return accepted
        }
    }

    /// Notes that WeChat Pay refused a call to make an order.
    private func noteRefusal(of id: OrderID) async throws {
        let now = ports.clock.now()
        try await ports.store.write { tx in
            guard let current = try tx.orders.order(id) else { return }
            try tx.orders.save(current.refusing(at: now), replacing: current)
        }
    }

    private func recover(_ order: Order, from failure: PaymentGatewayFailure) async throws -> Order
    {
        switch failure.kind {
        case .alreadyPaid:
            let trade = try await queried(order)
            _ = try await bookPayment.book(queried: trade)
            return try await ports.store.read { tx in try tx.orders.order(order.id) } ?? order
        case .misconfigured, .forgedAnswer:
            if let incident = Incident(failure, at: ports.clock.now()) {
                _ = try await ports.store.write { tx in try tx.operations.insert(incident) }
            }
            throw Failure(.unavailable, "Paying is not possible just now; we have been told.")
        case .rateLimited:
            throw Failure(
                .unavailable, "WeChat Pay is busy; try again in a moment.",
                retryAfterMilliseconds: 2_000)
        case .unknownOutcome:
            throw Failure(
                .unknownOutcome, "WeChat Pay did not answer; try again, you will not pay twice.",
                retryAfterMilliseconds: 2_000)
        case .alreadyClosed, .notFound, .refused:
            throw Failure(.conflict, "WeChat Pay refused the order; order again.")
        }
    }

    private func queried(_ order: Order) async throws -> RemoteTrade {
        do {
            return try await payments.queryTrade(outTradeNumber: order.outTradeNumber)
        } catch {
            throw Failure(
                .unknownOutcome, "WeChat Pay did not answer; look at the order in a moment.")
        }
    }
}

extension Incident {
    /// What a person has to know of a failed call to WeChat Pay, once an hour for each kind; nil if
    /// the failure passes by itself.
    init?(_ failure: PaymentGatewayFailure, at now: Timestamp) {
        switch failure.kind {
        case .misconfigured, .forgedAnswer: break
        default: return nil
        }
        self.init(
            key: "gateway:wechat-pay:\(failure.kind.rawValue):\(now.seconds / 3_600)",
            kind: .gatewayMisconfigured, reference: "wechat-pay", summary: failure.message, at: now)
    }
}
