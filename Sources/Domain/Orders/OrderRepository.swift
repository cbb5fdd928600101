package import TollgateKernel

/// One move of an order, kept for ever.
package struct OrderEvent: Hashable, Sendable {
    /// The order.
    package var order: OrderID
    /// Where from.
    package var from: OrderState
    /// Where to.
    package var to: OrderState
    /// Why.
    package var cause: OrderCause
    /// What told us, such as a notification's id; at most 64 bytes.
    package var evidence: String
    /// When.
    package var at: Timestamp

    /// Makes a value.
    package init(
        order: OrderID, from: OrderState, to: OrderState, cause: OrderCause, evidence: String,
        at: Timestamp
    ) {
        self.order = order
        self.from = from
        self.to = to
        self.cause = cause
        self.evidence = evidence
        self.at = at
    }
}

/// A payment that was booked.
///
/// WeChat's transaction id is unique.
package struct PaymentRecord: Hashable, Sendable {
    /// WeChat's number.
    package var transactionID: String
    /// The order.
    package var order: OrderID
    /// What was paid.
    package var total: Money
    /// When, by WeChat's clock.
    package var paidAt: Timestamp
    /// When we booked it.
    package var bookedAt: Timestamp

    /// Makes a value.
    package init(
        transactionID: String, order: OrderID, total: Money, paidAt: Timestamp, bookedAt: Timestamp
    ) {
        self.transactionID = transactionID
        self.order = order
        self.total = total
        self.paidAt = paidAt
        self.bookedAt = bookedAt
    }
}

/// Stores products, orders and payments.
///
/// Every method runs inside one transaction.
package protocol OrderRepository {
    /// Products on sale in the operator's order.
    func enabledProducts() throws(StoreError) -> [Product]

    /// Every product, on sale or withdrawn, in the operator's order; at most `limit`.
    func products(limit: Int) throws(StoreError) -> [Product]

    /// The product with this key, on sale or not.
    func product(_ key: ProductKey) throws(StoreError) -> Product?

    /// Adds or replaces a product.
    func save(_ product: Product) throws(StoreError)

    /// Adds an order; its id, out-trade number and (account, idempotency key) are unique.
    func insert(_ order: Order) throws(StoreError)

    /// The order with this id.
    func order(_ id: OrderID) throws(StoreError) -> Order?

    /// The order with this number at WeChat Pay.
    func order(outTradeNumber: String) throws(StoreError) -> Order?

    /// The order an account made with this key.
    func order(of account: AccountID, idempotencyKey: IdempotencyKey) throws(StoreError) -> Order?

    /// An account's orders below an id (nil starts at the newest), newest first.
    func orders(of account: AccountID, before id: OrderID?, limit: Int) throws(StoreError)
        -> [Order]

    /// An account's oldest order that is not settled (``OrderState/isSettled``); nil if none is.
    func unsettledOrder(of account: AccountID) throws(StoreError) -> Order?

    /// How many orders of an account are unpaid and their time not out at `now`: created, awaiting
    /// payment, or being closed.
    func unpaidOrders(of account: AccountID, at now: Timestamp) throws(StoreError) -> Int

    /// When the so-many-th newest of an account's orders that were never paid was made, of those
    /// made after `since` and not after `until`; nil if fewer were made then.
    ///
    /// Those do not count that WeChat Pay refused to make (``Order/refusedAt``): where it makes
    /// none, nobody is kept from trying again. All others may have been taken, code or not.
    func unpaidOrderMade(
        of account: AccountID, number: Int, since: Timestamp, until: Timestamp
    ) throws(StoreError) -> Timestamp?

    /// How many orders ``unpaidOrderMade(of:number:since:until:)`` counts.
    func countUnpaidOrdersMade(
        of account: AccountID, since: Timestamp, until: Timestamp
    ) throws(StoreError) -> Int64

    /// Stores what may change (state, codeURL, paidAt, transactionID, queryCount, nextQueryAt,
    /// refusedAt, openAskings), guarded by the state and queryCount of `old`: `conflict` if it has
    /// moved on.
    func save(_ new: Order, replacing old: Order) throws(StoreError)

    /// Orders created or awaiting payment whose `nextQueryAt` comes up to `due` and whose time is
    /// not out at `now`; earliest first, at most `limit`.
    func ordersToQuery(dueBy due: Timestamp, at now: Timestamp, limit: Int) throws(StoreError)
        -> [Order]

    /// Orders created or awaiting payment whose time is out at `now`, and orders closing whose
    /// `nextQueryAt` has come; earliest expiry first, at most `limit`.
    func ordersToClose(at now: Timestamp, limit: Int) throws(StoreError) -> [Order]

    /// Adds an event.
    func insert(_ event: OrderEvent) throws(StoreError)

    /// An order's events, oldest first.
    func events(of order: OrderID) throws(StoreError) -> [OrderEvent]

    /// Adds a notification's id; false if it came before.
    func insertNotification(id: String, outTradeNumber: String, at now: Timestamp)
        throws(StoreError) -> Bool

    /// Adds a payment; the transaction id is unique.
    func insert(_ payment: PaymentRecord) throws(StoreError)

    /// The payments that came for an order, those that bought nothing included, in the order they
    /// were booked; at most `limit`.
    func payments(of order: OrderID, limit: Int) throws(StoreError) -> [PaymentRecord]

    /// The payment with this transaction id.
    func payment(transactionID: String) throws(StoreError) -> PaymentRecord?
}

extension OrderRepository {
    /// Orders created or awaiting payment whose `nextQueryAt` has come and whose time is not out at
    /// `now`; earliest first, at most `limit`.
    package func ordersToQuery(at now: Timestamp, limit: Int) throws(StoreError) -> [Order] {
        try ordersToQuery(dueBy: now, at: now, limit: limit)
    }

    /// Orders created or awaiting payment whose time is not out at `now`, whenever they are to be
    /// asked about; the next one first, at most `limit`.
    package func unpaidOrders(at now: Timestamp, limit: Int) throws(StoreError) -> [Order] {
        try ordersToQuery(dueBy: Timestamp(milliseconds: .max), at: now, limit: limit)
    }
}
