internal import Analytics
package import Application
internal import Operations
internal import Orders
internal import TollgateKernel

/// How often each job runs, from settings.
package struct JobIntervals: Hashable, Sendable {
    /// payment-reconcile.
    package var paymentReconcileMilliseconds: Int64
    /// order-close.
    package var orderCloseMilliseconds: Int64
    /// hold-expire.
    package var holdExpireMilliseconds: Int64
    /// outbox.
    package var outboxMilliseconds: Int64
    /// metric-rollup.
    package var metricRollupMilliseconds: Int64
    /// retention.
    package var retentionMilliseconds: Int64

    /// Makes intervals; the defaults suit a small service.
    package init(
        paymentReconcileMilliseconds: Int64 = 30_000, orderCloseMilliseconds: Int64 = 30_000,
        holdExpireMilliseconds: Int64 = 30_000, outboxMilliseconds: Int64 = 2_000,
        metricRollupMilliseconds: Int64 = 60_000, retentionMilliseconds: Int64 = 3_600_000
    ) {
        self.paymentReconcileMilliseconds = paymentReconcileMilliseconds
        self.orderCloseMilliseconds = orderCloseMilliseconds
        self.holdExpireMilliseconds = holdExpireMilliseconds
        self.outboxMilliseconds = outboxMilliseconds
        self.metricRollupMilliseconds = metricRollupMilliseconds
        self.retentionMilliseconds = retentionMilliseconds
    }
}

/// Every job of the service.
package struct StandardJobs: Sendable {
    let ports: Ports
    private let orders: FollowUpOrders
    private let sweeps: Sweeps
    private let outbox: SendOutbox
    let previews: PreviewJobs
    let retention: Retention
    static let rollupJob = "metric-rollup"
    private let rollupHoursPerRun: Int64

    /// Gathers what the jobs do their work with.
    package init(
        _ ports: Ports, orders: FollowUpOrders, sweeps: Sweeps, outbox: SendOutbox,
        previews: PreviewJobs, rollupHoursPerRun: Int64 = Limits.rollupHoursPerRun
    ) {
        self.ports = ports
        retention = Retention(ports, rollupJob: Self.rollupJob)
        self.rollupHoursPerRun = rollupHoursPerRun
        self.orders = orders
        self.sweeps = sweeps
        self.outbox = outbox
        self.previews = previews
    }

    /// The jobs, by name.
    package func definitions(_ intervals: JobIntervals) -> [JobDefinition] {
        [
            JobDefinition(
                name: "hold-expire",
                summary:
                    "Ends holds and lots whose time is out; forgets dead codes, sessions, runs; "
                    + "ends deletions of accounts.",
                schedule: schedule(intervals.holdExpireMilliseconds), goesByTimeOfDay: true,
                preview: previewExpiry,
                hasWork: isClockTrusted, run: expire),
            JobDefinition(
                name: Self.rollupJob,
                summary: "Counts chats, tokens, refusals, orders and revenue by hour and day.",
                schedule: schedule(intervals.metricRollupMilliseconds), goesByTimeOfDay: true,
                preview: previewRollup,
                hasWork: isClockTrusted, run: rollUp),
            JobDefinition(
                name: "order-close",
                summary: "Closes orders whose time is out, here and at WeChat Pay.",
                schedule: schedule(intervals.orderCloseMilliseconds), goesByTimeOfDay: true,
                preview: previewClose,
                hasWork: {
                    guard await isClockTrusted() else { return false }
                    return try await !orders.ordersToClose(limit: 1).isEmpty
                },
                run: closeOrders),
            JobDefinition(
                name: "outbox", summary: "Sends waiting messages to people.",
                schedule: schedule(intervals.outboxMilliseconds), preview: previewOutbox,
                hasWork: { try await !outbox.due(limit: 1).isEmpty },
                run: sendOutbox),
            JobDefinition(
                name: "payment-reconcile",
                summary: "Asks WeChat Pay about unpaid orders and books what was paid.",
                schedule: schedule(intervals.paymentReconcileMilliseconds),
                preview: previewReconcile,
                hasWork: { try await !orders.ordersToQuery(limit: 1).isEmpty },
                waiting: waitingOrders, run: reconcile),
            JobDefinition(
                name: "retention",
                summary: "Removes what is older than it is needed for; never money's rows.",
                schedule: schedule(intervals.retentionMilliseconds), goesByTimeOfDay: true,
                preview: previewRetention,
                hasWork: isClockTrusted, run: retain),
        ]
    }

    private func waitingOrders() async throws -> JobWaiting? {
        let unpaid = try await orders.unpaidOrders(limit: Limits.ordersPerJobRun)
        return unpaid.first.map {
            JobWaiting(
                what: Plural.of(unpaid.count, "unpaid order"),
                nextAt: $0.nextQueryAt)
        }
    }

    private func schedule(_ milliseconds: Int64) -> JobSchedule {
        JobSchedule(intervalMilliseconds: milliseconds, catchUp: .last)
    }

    private func reconcile(_ context: JobContext) async throws -> JobReport {
        // Who runs it by hand misses a payment now: the pauses between questions are for nobody.
        let due =
            context.isByHand
            ? try await orders.unpaidOrders(limit: Limits.ordersPerJobRun)
            : try await orders.ordersToQuery(limit: Limits.ordersPerJobRun)
        var tally = Tally()
        for order in due {
            try await tally.take(order.id.description, context) {
                try await orders.reconcile(order, fence: context.fence).rawValue
            }
        }
        return tally.report(of: "unpaid orders asked about")
    }

    private func closeOrders(_ context: JobContext) async throws -> JobReport {
        if let trouble = await ports.store.clockTrouble { return Self.nothing(trouble) }
        let due = try await orders.ordersToClose(limit: Limits.ordersPerJobRun)
        var tally = Tally()
        for order in due {
            try await tally.take(order.id.description, context) {
                try await orders.close(order, fence: context.fence).rawValue
            }
        }
        return tally.report(of: "orders whose time is out")
    }

    private func sendOutbox(_ context: JobContext) async throws -> JobReport {
        let due = try await outbox.due(limit: Limits.rowsPerJobTransaction)
        var tally = Tally()
        for message in due {
            try await tally.take(message.id.description, context) {
                try await outbox.send(message, fence: context.fence).rawValue
            }
        }
        return tally.report(of: "messages")
    }

    /// Whether what goes by the time of day may run on this machine.
    ///
    /// Asked before the lease is taken: a machine whose clock is ahead would be the first each time
    /// and do nothing, and no other would get to it.
    private func isClockTrusted() async -> Bool { await ports.store.clockTrouble == nil }

    /// What a run says that goes by time while this machine's clock cannot be trusted.
    static func nothing(_ trouble: String) -> JobReport {
        JobReport(itemsDone: 0, summary: trouble)
    }

    private func expire(_ context: JobContext) async throws -> JobReport {
        if let trouble = await ports.store.clockTrouble { return Self.nothing(trouble) }
        let limit = Limits.rowsPerJobTransaction
        // A row that nothing can be done with stops its own step and no other; the run fails by it
        // once the others were done.
        var fault: (any Error)?
        func step(_ body: () async throws -> Int) async -> Int {
            guard !Task.isCancelled else { return 0 }
            do {
                return try await body()
            } catch {
                fault = fault ?? error
                return 0
            }
        }
        var holds = EndedHolds()
        holds.count = await step {
            holds = try await sweeps.expireHolds(fence: context.fence)
            return holds.count
        }
        var lots = EndedLots()
        lots.count = await step {
            lots = try await sweeps.expireLots(fence: context.fence)
            return lots.count
        }
        let rows =
            await step { try await sweeps.forget(limit: limit, fence: context.fence) }
            + step { try await DeleteAccount(ports).finish(fence: context.fence) }
        // Fewer at a time: each run takes its items with it.
        let most = Limits.jobRunsPerTransaction
        let runs = await step {
            try await drain(most) {
                try await sweeps.forgetRuns(limit: most, fence: context.fence)
            }
        }
        let aside =
            holds.setAside.map { ("hold:\($0.id)", $0.reason) }
            + lots.setAside.map { ("lot:\($0.id)", $0.reason) }
        for (item, reason) in aside {
            try await context.record(item, "failed", detail: reason)
        }
        if let fault { throw fault }
        try Task.checkCancellation()
        return JobReport(
            itemsDone: Int64(holds.count + lots.count + rows + runs),
            itemsFailed: Int64(aside.count),
            summary:
                "\(Plural.of(holds.count, "hold")) and \(Plural.of(lots.count, "lot")) expired, "
                + "\(Plural.of(rows, "dead row")) and \(Plural.of(runs, "old run")) forgotten"
                + (aside.isEmpty ? "" : "; \(aside.count) could not be ended"))
    }

    private func drain(_ limit: Int, _ step: () async throws -> Int) async throws -> Int {
        var total = 0
        while true {
            let count = try await step()
            total += count
            guard count >= limit else { return total }
            try Task.checkCancellation()
        }
    }

    /// The periods a rollup would count now, and up to when it would have counted then.
    func periodsToRollUp(job: String) async throws -> (periods: [RollupPeriod], reached: Timestamp)
    {
        let now = ports.clock.now()
        let since = try await ports.store.read { tx in
            try tx.jobs.checkpoint(of: job).map { Timestamp(milliseconds: $0) }
                ?? tx.analytics.oldestMoment()
        }
        let start = since ?? now
        // After a long stop several runs catch up, each with both resolutions up to where it came.
        let reached = min(now, start.adding(milliseconds: rollupHoursPerRun * 3_600_000))
        return (RollupPlan.periods(touchedBetween: start, and: reached), reached)
    }

    private func rollUp(_ context: JobContext) async throws -> JobReport {
        if let trouble = await ports.store.clockTrouble { return Self.nothing(trouble) }
        let (periods, reached) = try await periodsToRollUp(job: context.fence.job)
        var figures = 0
        for period in periods {
            figures += try await sweeps.rollUp(period, fence: context.fence)
            try Task.checkCancellation()
        }
        // The checkpoint moves only when everything up to it was counted.
        try await ports.store.write { tx in
            try context.fence.check(tx)
            try tx.jobs.saveCheckpoint(reached.milliseconds, of: context.fence.job)
        }
        return JobReport(
            itemsDone: Int64(periods.count),
            summary: "\(Plural.of(periods.count, "period")) counted, "
                + Plural.of(figures, "figure"))
    }
}

/// Counts what happened to items; a poisonous one does not stop the rest.
private struct Tally {
    private var results: [String: Int64] = [:]
    private var failed: Int64 = 0
    private var unanswered: Int64 = 0
    private var deferred: Int64 = 0
    private var kept: Int64 = 0

    mutating func take(
        _ reference: String, _ context: JobContext, _ step: () async throws -> String
    ) async throws {
        try Task.checkCancellation()
        let result: String
        var detail = ""
        do {
            result = try await Self.repeatingConflicts(step)
        } catch StoreError.fenced(let what) {
            throw StoreError.fenced(what)  // The lease was lost: nothing more may be written.
        } catch let error as CancellationError {
            throw error
        } catch {
            result = "failed"
            detail = "\(error)"
            failed += 1
        }
        switch result {
        case FollowUpOrders.Outcome.unanswered.rawValue: unanswered += 1
        case FollowUpOrders.Outcome.deferred.rawValue: deferred += 1
        default: results[result, default: 0] += 1
        }
        guard kept < Limits.jobItemsKeptPerRun else { return }
        kept += 1
        try await context.record(reference, result, detail: detail)
    }

    /// Does it again where a row had changed since it was read: each step reads anew.
    private static func repeatingConflicts(
        _ step: () async throws -> String
    ) async throws -> String {
        var attempt = 1
        while true {
            do {
                return try await step()
            } catch StoreError.conflict where attempt < Limits.jobConflictAttempts {
                attempt += 1
                try Task.checkCancellation()
            }
        }
    }

    func report(of what: String) -> JobReport {
        var parts = results.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        let answered = results.values.reduce(0, +)
        let missed = unanswered + deferred
        for (count, next) in [(unanswered, "soon"), (deferred, "after a longer pause")]
        where count > 0 {
            let all = count == 1 ? "the one" : "any of the \(count)"
            let whom = answered == 0 && count == missed ? all : "\(count)"
            parts.append(
                "WeChat Pay gave no valid answer about \(whom), and is asked again \(next)")
        }
        return JobReport(
            itemsDone: answered - failed, itemsFailed: failed + missed,
            summary: parts.isEmpty ? "no \(what)" : "\(what): \(parts.joined(separator: ", "))",
            // A run that learnt nothing did not succeed, however calmly each item was put off.
            hasFailed: missed > 0 && answered == failed)
    }
}
