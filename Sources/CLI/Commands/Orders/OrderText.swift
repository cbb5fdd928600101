import TollgateClient

extension V1.Order {
    /// The order for programs, under the contract's own names.
    var json: JSONValue {
        .object([
            ("orderId", .text(orderId)),
            ("productName", .text(productName)),
            ("totalFen", .number(totalFen)),
            ("microCredits", .number(microCredits)),
            ("state", .text(state)),
            ("codeUrl", .text(codeUrl)),
            ("outTradeNumber", .text(outTradeNumber)),
            ("createdAtMilliseconds", .number(createdAtMilliseconds)),
            ("expiresAtMilliseconds", .number(expiresAtMilliseconds)),
            ("paidAtMilliseconds", .number(paidAtMilliseconds)),
        ])
    }
}

extension Console {
    /// Writes an order for a person.
    func show(_ order: V1.Order, _ invocation: Invocation) {
        let moments = invocation.moments
        var facts: [(String, String)] = [
            ("Order", order.orderId),
            ("Product", order.productName),
            ("Price", Amounts.yuan(order.totalFen)),
            ("Credits", Amounts.credits(order.microCredits)),
            ("State", OrderState(order).words),
            ("Made", moments.moment(order.createdAtMilliseconds)),
        ]
        if order.paidAtMilliseconds != 0 {
            facts.append(("Paid", moments.moment(order.paidAtMilliseconds)))
        } else if !OrderState(order).isFinal {
            facts.append(("Pay before", moments.moment(order.expiresAtMilliseconds)))
        }
        facts.append(("WeChat Pay number", order.outTradeNumber))
        self.facts(facts)
    }

    /// Draws what is to be scanned, or writes it where a drawing would not be seen as meant.
    func showPaymentCode(_ order: V1.Order, _ variables: [String: String]) {
        showCode(order.codeUrl, variables)
    }
}
