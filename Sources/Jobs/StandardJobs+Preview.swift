internal import Accounts
internal import Analytics
internal import Application
internal import Operations
internal import Orders
internal import TollgateKernel

/// Dry runs: what each job would do, by reading alone.
extension StandardJobs {
    func previewReconcile() async throws -> JobPreview {
        try await preview(
            orders: previews.unpaidOrders(limit: Limits.ordersPerJobRun), areDue: false,
            one: "unpaid order", many: "unpaid orders")
    }

    func previewClose() async throws -> JobPreview {
        try await preview(
            orders: previews.ordersToClose(limit: Limits.ordersPerJobRun), areDue: true,
            one: "order whose time is out", many: "orders whose time is out")
    }

    private func preview(
        orders: [Order], areDue: Bool, one: String, many: String
    ) async throws -> JobPreview {
        var items: [JobPreview.Item] = []
        for order in orders {
            try Task.checkCancellation()
            let judged = await previews.judge(order, isDue: areDue)
            let verdict: JobPreview.Verdict =
                switch judged {
                case .wouldBook: .wouldBook
                case .wouldClose: .wouldClose
                case .waiting: .waiting
                case .unanswered: .unanswered
                }
            items.append(.init(reference: order.id.description, verdict: verdict))
        }
        return preview(items, one: one, many: many)
    }

    func previewOutbox() async throws -> JobPreview {
        let messages = try await previews.messages(limit: Limits.rowsPerJobTransaction)
        return preview(
            messages.map { .init(reference: $0.id.description, verdict: .wouldSend) },
            one: "message", many: "messages")
    }

    func previewExpiry() async throws -> JobPreview {
        let (holds, lots) = try await previews.expired(limit: Limits.rowsPerJobTransaction)
        return preview(
            holds.map { .init(reference: "hold:\($0.id)", verdict: .wouldExpire) }
                + lots.map { .init(reference: "lot:\($0.id)", verdict: .wouldExpire) },
            one: "hold or lot", many: "holds and lots",
            note: " (dead codes, sessions and runs are not listed)")
    }

    func previewRollup() async throws -> JobPreview {
        let (periods, _) = try await periodsToRollUp(job: Self.rollupJob)
        var items: [JobPreview.Item] = []
        var total = 0
        for period in periods {
            try Task.checkCancellation()
            let figures = try await previews.figures(of: period)
            total += figures.count
            items.append(
                .init(
                    reference: "\(period.resolution.rawValue):\(period.start.milliseconds)",
                    verdict: .wouldStore(figures.count)))
        }
        return JobPreview(
            items: Array(items.prefix(Int(Limits.jobItemsKeptPerRun))),
            summary: "\(Plural.of(total, "figure")) of \(Plural.of(items.count, "period")) "
                + "would be stored")
    }

    /// What would become of things of one kind, and of how many each.
    private func preview(
        _ items: [JobPreview.Item], one: String, many: String, note: String = ""
    ) -> JobPreview {
        var counts: [JobPreview.Verdict: Int] = [:]
        for item in items { counts[item.verdict, default: 0] += 1 }
        let sorted = counts.sorted { $0.key.word < $1.key.word }
        let what = items.count == 1 ? "1 \(one)" : "\(items.count) \(many)"
        let words =
            switch sorted.count {
            case 0: "no \(many)"
            case 1: "\(what) \(sorted[0].key.many)"
            default:
                "\(what): " + sorted.map { "\($0.value) \($0.key.many)" }.joined(separator: ", ")
            }
        return JobPreview(
            items: Array(items.prefix(Int(Limits.jobItemsKeptPerRun))), summary: words + note)
    }
}
