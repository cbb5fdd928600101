import Orders
import TollgateKernel

/// An order in a state, for tests.
func sampleOrder(_ state: OrderState, total: Int64 = 990) -> Order {
    Order(
        id: OrderID(rawValue: 1_234_567), account: AccountID(rawValue: 5),
        idempotencyKey: IdempotencyKey(rawValue: "k"),
        outTradeNumber: OrderNumber.outTradeNumber(for: OrderID(rawValue: 1_234_567)),
        product: ProductKey(rawValue: "starter"), productName: "Starter", total: Money(fen: total),
        credits: Credits(whole: 100), lifetimeDays: 30, models: [], state: state, codeURL: nil,
        createdAt: Timestamp(seconds: 1_700_000_000), expiresAt: Timestamp(seconds: 1_700_000_900),
        paidAt: nil, transactionID: nil, queryCount: 0,
        nextQueryAt: Timestamp(seconds: 1_700_000_060))
}
