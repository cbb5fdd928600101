import Orders
import Testing
import TollgateKernel

@Suite("An order's moves")
struct OrderMovingTests {
    /// Written by hand from the design, cause by cause; what is not here must not happen.
    private static let expected: [OrderState: [OrderCause: OrderState]] = [
        .created: [
            .accepted: .awaitingPayment, .paymentBooked: .paid, .expired: .closing,
            .abandoned: .closing,
        ],
        .awaitingPayment: [.paymentBooked: .paid, .expired: .closing, .abandoned: .closing],
        .closing: [.paymentBooked: .paid, .confirmedClosed: .closed],
        .closed: [.paymentBooked: .paidAfterClose],
        .paidAfterClose: [.delivered: .delivered, .refundRequested: .refunding],
        .paid: [.delivered: .delivered, .refundRequested: .refunding],
        .delivered: [.refundRequested: .refunding],
        .refunding: [.refundCompleted: .refunded],
        .refunded: [:],
    ]

    private static let pairs = OrderState.allCases.flatMap { state in
        OrderCause.allCases.map { (state, $0) }
    }

    private func move(_ state: OrderState, _ cause: OrderCause, backTo origin: OrderState? = nil)
        -> Result<(Order, OrderEvent), Failure>
    {
        Result { () throws(Failure) in
            try sampleOrder(state).moving(
                cause: cause, at: Timestamp(seconds: 1_700_000_100), evidence: "n-1",
                backTo: origin)
        }
    }

    @Test(arguments: pairs)
    func everyPairOfStateAndCauseDoesWhatTheDesignSays(state: OrderState, cause: OrderCause) {
        switch (move(state, cause), Self.expected[state]?[cause]) {
        case (.success((let order, let event)), .some(let next)):
            #expect(order.state == next)
            #expect(
                event
                    == OrderEvent(
                        order: order.id, from: state, to: next, cause: cause, evidence: "n-1",
                        at: Timestamp(seconds: 1_700_000_100)))
            var unmoved = order
            unmoved.state = state
            #expect(unmoved == sampleOrder(state), "only the state changes")
        case (.failure(let failure), nil):
            #expect(failure.code == .conflict)
        case (.success((let order, _)), nil):
            Issue.record("\(state) after \(cause) became \(order.state)")
        case (.failure, .some(let next)):
            Issue.record("\(state) after \(cause) did not become \(next)")
        }
    }

    @Test(arguments: pairs)
    func aFailedRefundGoesBackToWhereItCameFromAndNothingElseDoes(
        state: OrderState, cause: OrderCause
    ) {
        for origin in OrderState.allCases {
            let isAllowed =
                state == .refunding && cause == .refundFailed
                ? [.paid, .paidAfterClose, .delivered].contains(origin)
                : Self.expected[state]?[cause] == origin
            switch move(state, cause, backTo: origin) {
            case .success((let order, _)): #expect(isAllowed && order.state == origin)
            case .failure: #expect(!isAllowed, "\(state), \(cause), \(origin)")
            }
        }
    }

    @Test func noEdgeLeavesARefundedOrder() {
        #expect(OrderEdge.all.allSatisfy { $0.from != .refunded })
        let endings = OrderState.allCases.filter { state in
            OrderEdge.all.allSatisfy { $0.from != state }
        }
        #expect(endings == [.refunded])
    }

    @Test func everyStateCanBeReached() {
        var reached: Set<OrderState> = [.created]
        for _ in OrderState.allCases {
            for edge in OrderEdge.all where reached.contains(edge.from) { reached.insert(edge.to) }
        }
        #expect(reached == Set(OrderState.allCases))
    }

    @Test func noEdgeStandsTwice() {
        let edges = OrderEdge.all
        #expect(Set(edges).count == edges.count)
        #expect(edges.allSatisfy { $0.from != $0.to })
    }

    @Test func moneyIsTakenForEveryOrderThatIsNotPaidYet() {
        let accepting = OrderState.allCases.filter(\.acceptsPayment)
        #expect(accepting == [.created, .awaitingPayment, .closing, .closed])
    }

    @Test func evidenceIsCutToWholeCharacters() throws {
        let long = String(repeating: "x", count: 63) + "你好"
        let (_, event) = try sampleOrder(.created).moving(
            cause: .accepted, at: Timestamp(seconds: 0), evidence: long)
        #expect(event.evidence == String(repeating: "x", count: 63))
        let exact = String(repeating: "x", count: 61) + "你"
        let (_, other) = try sampleOrder(.created).moving(
            cause: .accepted, at: Timestamp(seconds: 0), evidence: exact)
        #expect(other.evidence == exact)
    }

    @Test func rawValuesAreWhatRowsHold() {
        #expect(
            OrderState.allCases.map(\.rawValue) == [
                "created", "awaiting_payment", "closing", "closed", "paid", "paid_after_close",
                "delivered", "refunding", "refunded",
            ])
        #expect(
            OrderCause.allCases.map(\.rawValue) == [
                "accepted", "payment_booked", "delivered", "expired", "abandoned",
                "confirmed_closed", "refund_requested", "refund_completed", "refund_failed",
            ])
    }
}
