internal import Accounts
internal import Application
internal import Orders
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Products and orders on the wire.
struct OrdersHandlers: OrdersServiceHandlers {
    let caller: CallerIdentity
    let queries: AccountQueries
    let placeOrder: PlaceOrder
    let orders: FollowUpOrders

    func listProducts(_ request: V1.ListProductsRequest, _ context: ServerCallContext)
        async throws -> V1.ListProductsResponse
    {
        V1.ListProductsResponse(products: try await queries.products().map(V1.Product.init))
    }

    func placeOrder(_ request: V1.PlaceOrderRequest, _ context: ServerCallContext) async throws
        -> V1.PlaceOrderResponse
    {
        let account = try await caller.person(of: context)
        guard let key = IdempotencyKey(checking: request.idempotencyKey) else {
            throw Failure(
                .invalidRequest, "An idempotency key has 1 to 64 visible ASCII characters.")
        }
        // Nothing is called so, and the refusal repeats what was asked for.
        guard request.productKey.utf8.count <= Limits.productKeyBytes else {
            throw Failure(.notFound, "There is no product with so long a key; list the products.")
        }
        let order = try await placeOrder.place(
            product: ProductKey(rawValue: request.productKey), for: account.id,
            idempotencyKey: key)
        return V1.PlaceOrderResponse(order: V1.Order(order))
    }

    func getOrder(_ request: V1.GetOrderRequest, _ context: ServerCallContext) async throws
        -> V1.GetOrderResponse
    {
        let account = try await caller.person(of: context)
        let id = try orderID(request.orderId)
        return V1.GetOrderResponse(order: V1.Order(try await queries.order(id, of: account.id)))
    }

    func cancelOrder(_ request: V1.CancelOrderRequest, _ context: ServerCallContext) async throws
        -> V1.CancelOrderResponse
    {
        let account = try await caller.person(of: context)
        let order = try await orders.cancel(try orderID(request.orderId), of: account.id)
        return V1.CancelOrderResponse(order: V1.Order(order))
    }

    func listOrders(_ request: V1.ListOrdersRequest, _ context: ServerCallContext) async throws
        -> V1.ListOrdersResponse
    {
        let account = try await caller.person(of: context)
        let limit = try pageSize(request.limit, default: 20, most: 100)
        let before = request.beforeOrderId.isEmpty ? nil : try orderID(request.beforeOrderId)
        let orders = try await queries.orders(of: account.id, before: before, limit: limit)
        return V1.ListOrdersResponse(
            orders: orders.map(V1.Order.init),
            nextBeforeOrderId: orders.count == limit ? orders.last?.id.description ?? "" : "")
    }

    private func orderID(_ text: String) throws(Failure) -> OrderID {
        guard let id = OrderID(text: text) else {
            throw Failure(.invalidRequest, "An order number has 13 letters and digits.")
        }
        return id
    }
}

extension V1.Product {
    fileprivate init(_ product: Product) {
        self.init(
            key: product.key.rawValue, name: product.name, summary: product.summary,
            priceFen: product.price.fen, microCredits: product.credits.micro,
            lifetimeDays: product.lifetimeDays ?? 0, models: product.models.map(\.rawValue))
    }
}

extension V1.Order {
    fileprivate init(_ order: Order) {
        self.init(
            orderId: order.id.description, productName: order.productName,
            totalFen: order.total.fen, microCredits: order.credits.micro,
            state: order.state.rawValue,
            codeUrl: order.state == .awaitingPayment ? order.codeURL ?? "" : "",
            createdAtMilliseconds: order.createdAt.milliseconds,
            expiresAtMilliseconds: order.expiresAt.milliseconds,
            paidAtMilliseconds: order.paidAt?.milliseconds ?? 0,
            outTradeNumber: order.outTradeNumber)
    }
}
