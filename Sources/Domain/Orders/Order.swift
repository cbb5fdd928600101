package import TollgateKernel

/// Something that can be bought.
package struct Product: Hashable, Sendable {
    /// The stable key.
    package var key: ProductKey
    /// The name.
    package var name: String
    /// A sentence about it.
    package var summary: String
    /// The price.
    package var price: Money
    /// What it grants.
    package var credits: Credits
    /// How long the credits live after payment, in days; nil is for ever.
    package var lifetimeDays: Int64?
    /// Models it permits.
    package var models: [ModelName]
    /// Whether it is on sale.
    package var isEnabled: Bool
    /// The place in the list.
    package var position: Int64

    /// Makes a value.
    package init(
        key: ProductKey, name: String, summary: String, price: Money, credits: Credits,
        lifetimeDays: Int64?, models: [ModelName], isEnabled: Bool, position: Int64
    ) {
        self.key = key
        self.name = name
        self.summary = summary
        self.price = price
        self.credits = credits
        self.lifetimeDays = lifetimeDays
        self.models = models
        self.isEnabled = isEnabled
        self.position = position
    }
}

extension Product {
    /// Checks what an operator wants to sell.
    ///
    /// - Throws: `invalid_request` with the bound that it does not keep.
    package func checked() throws(Failure) -> Product {
        guard key.isWellFormed else {
            throw Failure(
                .invalidRequest,
                "A product's key has 1 to \(Limits.productKeyBytes) lower-case letters, digits and "
                    + "hyphens.")
        }
        guard name.isLine(ofBytes: 1...Limits.productNameBytes),
            summary.isLine(ofBytes: 0...Limits.catalogueSummaryBytes)
        else {
            throw Failure(
                .invalidRequest,
                "A product's name has 1 to \(Limits.productNameBytes) bytes on one line, its "
                    + "summary at most \(Limits.catalogueSummaryBytes).")
        }
        guard (1...Limits.productPriceFen).contains(price.fen) else {
            throw Failure(
                .invalidRequest,
                "A product's price is ¥0.01 to \(Money(fen: Limits.productPriceFen)).")
        }
        guard (1...Limits.creditsInOneTransfer).contains(credits.micro) else {
            throw Failure(
                .invalidRequest,
                "A product grants more than 0 and at most "
                    + "\(Credits(micro: Limits.creditsInOneTransfer)) credits.")
        }
        guard lifetimeDays.map({ (1...Limits.productLifetimeDays).contains($0) }) ?? true else {
            throw Failure(
                .invalidRequest,
                "Bought credits live 1 to \(Limits.productLifetimeDays) days, or for ever.")
        }
        guard models.count <= Limits.modelsOfProduct, Set(models).count == models.count else {
            throw Failure(
                .invalidRequest,
                "A product permits at most \(Limits.modelsOfProduct) models, each named once.")
        }
        guard (0...Limits.cataloguePosition).contains(position) else {
            throw Failure(
                .invalidRequest, "A place in the list is 0 to \(Limits.cataloguePosition).")
        }
        return self
    }
}

/// An order: a snapshot of its product, and how far it has come.
package struct Order: Hashable, Sendable {
    /// The order.
    package var id: OrderID
    /// Who buys.
    package var account: AccountID
    /// The buyer's key: (account, key) is unique.
    package var idempotencyKey: IdempotencyKey
    /// Our number at WeChat Pay, unique; made before the first call and reused on each retry.
    package var outTradeNumber: String
    /// The product, as it was when ordered: later changes of price or content do not reach here.
    package var product: ProductKey
    /// Its name then.
    package var productName: String
    /// Its price then.
    package var total: Money
    /// What it granted then.
    package var credits: Credits
    /// How long the credits live after payment, in days; nil is for ever.
    package var lifetimeDays: Int64?
    /// Models it permitted then.
    package var models: [ModelName]
    /// How far it has come.
    package var state: OrderState
    /// What to draw as a QR code, once WeChat Pay gave it.
    package var codeURL: String?
    /// When it was made.
    package var createdAt: Timestamp
    /// When paying ends.
    package var expiresAt: Timestamp
    /// When it was paid.
    package var paidAt: Timestamp?
    /// WeChat's number of the payment.
    package var transactionID: String?
    /// How often payment-reconcile has asked WeChat.
    package var queryCount: Int64
    /// When payment-reconcile or order-close looks at it again.
    package var nextQueryAt: Timestamp
    /// When WeChat Pay refused to make it; nil unless it is certain that WeChat never took it.
    package var refusedAt: Timestamp?
    /// How many calls that were to make it at WeChat Pay have begun and not been refused: those
    /// under way, and those whose end is not known.
    package var openAskings: Int64

    /// Makes a value.
    package init(
        id: OrderID, account: AccountID, idempotencyKey: IdempotencyKey, outTradeNumber: String,
        product: ProductKey, productName: String, total: Money, credits: Credits,
        lifetimeDays: Int64?, models: [ModelName], state: OrderState, codeURL: String?,
        createdAt: Timestamp, expiresAt: Timestamp, paidAt: Timestamp?, transactionID: String?,
        queryCount: Int64, nextQueryAt: Timestamp, refusedAt: Timestamp? = nil,
        openAskings: Int64 = 0
    ) {
        self.id = id
        self.account = account
        self.idempotencyKey = idempotencyKey
        self.outTradeNumber = outTradeNumber
        self.product = product
        self.productName = productName
        self.total = total
        self.credits = credits
        self.lifetimeDays = lifetimeDays
        self.models = models
        self.state = state
        self.codeURL = codeURL
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.paidAt = paidAt
        self.transactionID = transactionID
        self.queryCount = queryCount
        self.nextQueryAt = nextQueryAt
        self.refusedAt = refusedAt
        self.openAskings = openAskings
    }
}
