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
            what: "unpaid orders asked about")
    }

    func previewClose() async throws -> JobPreview {
        try await preview(
            orders: previews.ordersToClose(limit: Limits.ordersPerJobRun), areDue: true,
            what: "orders whose time is out")
    }

    private func preview(
        orders: [Order], areDue: Bool, what: String
    ) async throws -> JobPreview {
        var items: [JobPreview.Item] = []
        for order in orders {
            try Task.checkCancellation()
            let verdict = await previews.judge(order, isDue: areDue)
            items.append(.init(reference: order.id.description, result: verdict.rawValue))
        }
        return preview(items, of: what)
    }

    func previewOutbox() async throws -> JobPreview {
        let messages = try await previews.messages(limit: Limits.rowsPerJobTransaction)
        return preview(
            messages.map { .init(reference: $0.id.description, result: "would_send") },
            of: "messages")
    }

    func previewExpiry() async throws -> JobPreview {
        let (holds, lots) = try await previews.expired(limit: Limits.rowsPerJobTransaction)
        return preview(
            holds.map { .init(reference: "hold:\($0.id)", result: "would_expire") }
                + lots.map { .init(reference: "lot:\($0.id)", result: "would_expire") },
            of: "holds and lots whose time is out (dead codes, sessions and runs are not listed)")
    }

    func previewRollup() async throws -> JobPreview {
        let (periods, _) = try await periodsToRollUp(job: Self.rollupJob)
        var items: [JobPreview.Item] = []
        for period in periods {
            try Task.checkCancellation()
            let figures = try await previews.figures(of: period)
            items.append(
                .init(
                    reference: "\(period.resolution.rawValue):\(period.start.milliseconds)",
                    result: "would_store_\(figures.count)"))
        }
        return preview(items, of: "periods")
    }

    private func preview(_ items: [JobPreview.Item], of what: String) -> JobPreview {
        var counts: [String: Int] = [:]
        for item in items { counts[item.result, default: 0] += 1 }
        let parts = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return JobPreview(
            items: Array(items.prefix(Int(Limits.jobItemsKeptPerRun))),
            summary: parts.isEmpty ? "no \(what)" : "\(what): \(parts.joined(separator: ", "))")
    }
}
