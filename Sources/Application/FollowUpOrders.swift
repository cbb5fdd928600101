internal import Operations
package import Orders
package import TollgateKernel

/// Asks WeChat Pay about orders nobody told us of, and closes those whose time is out.
///
/// Each step is one order; the jobs loop over them. Every step may be repeated after a crash: the
/// order's state says how far it came.
package struct FollowUpOrders: Sendable {
    /// What became of one order.
    package enum Outcome: String, Hashable, Sendable {
        /// A payment was found and booked.
        case paid
        /// Not paid yet; asked again later.
        case waiting
        /// Closed here and at WeChat Pay.
        case closed
        /// It had moved on meanwhile.
        case movedOn = "moved_on"
        /// A payment was found that needs a person: an incident stands.
        case incident
        /// WeChat Pay was silent; asked again soon.
        case unanswered
        /// WeChat Pay's answer was none to go by (too many questions, a refusal, a forged one);
        /// asked again after a longer pause.
        case deferred

        /// What becomes of an order that such a failure says nothing about.
        init(_ failure: PaymentGatewayFailure) {
            self = failure.kind == .unknownOutcome ? .unanswered : .deferred
        }
    }

    private let ports: Ports
    private let payments: any PaymentGateway
    private let bookPayment: BookPayment

    /// Makes the use case.
    package init(_ ports: Ports, payments: any PaymentGateway) {
        self.ports = ports
        self.payments = payments
        bookPayment = BookPayment(ports)
    }

    /// Orders that payment-reconcile should ask about now.
    package func ordersToQuery(limit: Int) async throws -> [Order] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.orders.ordersToQuery(at: now, limit: limit)
        }
    }

    /// Every unpaid order that can still be paid, whatever its back-off; the one that
    /// payment-reconcile asks about next is the first.
    package func unpaidOrders(limit: Int) async throws -> [Order] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.orders.unpaidOrders(at: now, limit: limit)
        }
    }

    /// Orders that order-close should close now.
    package func ordersToClose(limit: Int) async throws -> [Order] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.orders.ordersToClose(at: now, limit: limit)
        }
    }

    /// Asks WeChat Pay about one order, and books a payment it tells of.
    ///
    /// - Parameter fence: Checked in the transaction that stores the result: a run whose lease was
    ///   taken over changes nothing. (A payment is booked all the same: money is never refused.)
    package func reconcile(_ order: Order, fence: JobFence?) async throws -> Outcome {
        do {
            let trade = try await payments.queryTrade(outTradeNumber: order.outTradeNumber)
            if trade.isPaid { return try await book(trade, for: order, fence: fence) }
            return try await postpone(order, fence: fence, outcome: .waiting)
        } catch let failure as PaymentGatewayFailure {
            // An order WeChat never heard of stays payable: our own call may be on its way.
            let outcome = failure.kind == .notFound ? .waiting : Outcome(failure)
            return try await postpone(order, fence: fence, outcome: outcome, failure)
        }
    }

    private func book(
        _ trade: RemoteTrade, for order: Order, fence: JobFence?
    ) async throws -> Outcome {
        switch try await bookPayment.book(queried: trade) {
        case .delivered, .undelivered: return .paid
        case .alreadyBooked: return .movedOn
        case .incident, .unknownOrder:
            // It stays as it is until a person has looked: ask ever more seldom.
            _ = try await postpone(order, fence: fence, outcome: .incident)
            return .incident
        case .notPaid: return .waiting
        }
    }

    private func postpone(
        _ order: Order, fence: JobFence?, outcome: Outcome,
        _ failure: PaymentGatewayFailure? = nil
    ) async throws -> Outcome {
        let now = ports.clock.now()
        let incident = failure.flatMap { Incident($0, at: now) }
        let backOff = QueryBackOff(
            firstMilliseconds: ports.policy.firstPaymentQueryMilliseconds)
        return try await ports.store.write { tx in
            try fence?.check(tx)
            if let incident { try tx.operations.insert(incident) }
            guard let current = try tx.orders.order(order.id), current.state == order.state else {
                return .movedOn
            }
            var next = current
            if failure?.kind == .unknownOutcome {
                // Silence was no look at the order: the pauses do not grow by it.
                next.nextQueryAt = backOff.nextQuery(
                    afterSilenceAt: now, planned: current.nextQueryAt)
            } else {
                next.queryCount += 1
                next.nextQueryAt = backOff.nextQuery(
                    after: next.queryCount, createdAt: current.createdAt, now: now)
            }
            try tx.orders.save(next, replacing: current)
            return outcome
        }
    }

    /// Closes one order whose time is out: local CLOSING, query, close, query, local CLOSED.
    ///
    /// A payment found on the way is booked instead. Closing locally comes last, so that a payment
    /// in the gap is never lost; `closing` still accepts one.
    package func close(_ order: Order, fence: JobFence?) async throws -> Outcome {
        let closing = try await move(order, cause: .expired, to: .closing, fence: fence)
        guard let closing else { return .movedOn }
        do {
            switch try await closeAtWeChat(closing) {
            case .paid(let trade): return try await book(trade, for: closing, fence: fence)
            case .closed, .unknown:
                let closed = try await move(
                    closing, cause: .confirmedClosed, to: .closed, fence: fence)
                return closed == nil ? .movedOn : .closed
            case .open: return try await postpone(closing, fence: fence, outcome: .waiting)
            }
        } catch let failure as PaymentGatewayFailure {
            return try await postpone(closing, fence: fence, outcome: Outcome(failure), failure)
        }
    }

    /// Closes a buyer's own unpaid order before its time is out, by the way of
    /// ``close(_:fence:)``.
    ///
    /// A payment found on the way is booked. What could not be closed at once (WeChat Pay did not
    /// answer, or may yet hear of the order from a call of ours) stays `closing`, and the job
    /// closes it; until then repeating this asks nobody. A closed order is given as it stands.
    ///
    /// - Returns: The order, `closed` or `closing`.
    /// - Throws: `not_found` for an unknown or somebody else's order, `conflict` for one that is
    ///   paid, also if that is found only now.
    package func cancel(_ id: OrderID, of account: AccountID) async throws -> Order {
        guard let taken = try await giveUp(id, of: account) else {
            return try await standing(id)
        }
        do {
            switch try await closeAtWeChat(taken.order) {
            case .paid(let trade): _ = try await bookPayment.book(queried: trade)
            case .unknown where taken.mayBeOnItsWay: break
            case .closed, .unknown:
                _ = try await move(
                    taken.order, cause: .confirmedClosed, to: .closed, fence: nil,
                    evidence: Self.buyer)
            case .open: break
            }
        } catch let failure as PaymentGatewayFailure {
            if let incident = Incident(failure, at: ports.clock.now()) {
                _ = try await ports.store.write { tx in try tx.operations.insert(incident) }
            }
        }
        return try await standing(id)
    }

    private static let buyer = "buyer"

    /// Moves a buyer's order to `closing` and keeps the job and other calls from it for a pause;
    /// nil if there is nothing to do about it now.
    private func giveUp(
        _ id: OrderID, of account: AccountID
    ) async throws -> (order: Order, mayBeOnItsWay: Bool)? {
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            guard let current = try tx.orders.order(id), current.account == account else {
                throw AccountQueries.noSuchOrder
            }
            var next = current
            switch current.state {
            case .created, .awaitingPayment:
                let (moved, event) = try current.moving(
                    cause: .abandoned, at: now, evidence: Self.buyer)
                try tx.orders.insert(event)
                next = moved
            case .closing where current.nextQueryAt <= now: break
            default: return nil
            }
            next.nextQueryAt = now.adding(milliseconds: Limits.cancelledOrderPauseMilliseconds)
            try tx.orders.save(next, replacing: current)
            // Whoever placed it may be calling WeChat Pay just now; a code says that call is over.
            return (next, current.state == .created)
        }
    }

    /// The order after an attempt to cancel it.
    private func standing(_ id: OrderID) async throws -> Order {
        guard let order = try await ports.store.read({ tx in try tx.orders.order(id) }) else {
            throw StoreError.corrupt("order \(id) vanished")
        }
        switch order.state {
        case .created, .awaitingPayment, .closing, .closed: return order
        case .paid, .paidAfterClose, .delivered:
            throw Failure(.conflict, "Order \(id) is paid and cannot be cancelled any more.")
        case .refunding, .refunded:
            throw Failure(.conflict, "Order \(id) was paid; its refund is made or under way.")
        }
    }

    /// Query, close, query: what is true of a `closing` order at WeChat Pay after that.
    private func closeAtWeChat(
        _ closing: Order
    ) async throws(PaymentGatewayFailure) -> RemoteState {
        if case .paid(let trade) = try await remoteState(of: closing) { return .paid(trade) }
        try await closeRemotely(closing)
        // A 204 proves nothing (`reference` section 1.4): ask once more.
        return try await remoteState(of: closing)
    }

    private enum RemoteState {
        case paid(RemoteTrade)
        case closed
        /// It never heard of the order: nobody can pay it.
        case unknown
        case open
    }

    private func remoteState(of order: Order) async throws(PaymentGatewayFailure) -> RemoteState {
        do {
            let trade = try await payments.queryTrade(outTradeNumber: order.outTradeNumber)
            if trade.isPaid { return .paid(trade) }
            return trade.state == .closed ? .closed : .open
        } catch {
            if error.kind == .notFound { return .unknown }
            throw error
        }
    }

    private func closeRemotely(_ order: Order) async throws(PaymentGatewayFailure) {
        do {
            try await payments.closeTrade(outTradeNumber: order.outTradeNumber)
        } catch {
            switch error.kind {
            case .alreadyClosed, .alreadyPaid, .notFound: return  // The query that follows tells.
            default: throw error
            }
        }
    }

    /// Moves an order if it still stands where it stood; nil if it has moved on.
    private func move(
        _ order: Order, cause: OrderCause, to state: OrderState, fence: JobFence?,
        evidence: String = "order-close"
    ) async throws -> Order? {
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            try fence?.check(tx)
            guard let current = try tx.orders.order(order.id) else { return nil }
            if current.state == state { return current }  // A run before this one came so far.
            guard current.state == order.state else { return nil }
            let (moved, event) = try current.moving(cause: cause, at: now, evidence: evidence)
            try tx.orders.save(moved, replacing: current)
            try tx.orders.insert(event)
            return moved
        }
    }
}

extension RemoteTrade {
    /// Whether money came, refunded later or not.
    package var isPaid: Bool { state == .success || state == .refunded }
}

/// The fencing number a job's writes carry: checked inside each of their transactions.
package struct JobFence: Hashable, Sendable {
    /// The job.
    package var job: String
    /// The number its lease got.
    package var fencingToken: Int64

    /// Makes a fence.
    package init(job: String, fencingToken: Int64) {
        self.job = job
        self.fencingToken = fencingToken
    }

    /// Throws ``StoreError/fenced(_:)`` if the lease was taken over.
    package func check(_ tx: any Transaction) throws(StoreError) {
        try tx.jobs.checkFence(job: job, fencingToken: fencingToken)
    }
}
