internal import Application
internal import Operations
internal import TollgateKernel

/// Removing what is older than it is needed for.
extension StandardJobs {
    /// Takes a batch of each kind in turn until none has more, so that what one kind has gathered
    /// in a year keeps no other waiting.
    ///
    /// There is no checkpoint: what a run that broke off has removed is gone, and the next goes on
    /// with the oldest that is left.
    func retain(_ context: JobContext) async throws -> JobReport {
        if let trouble = await ports.store.clockTrouble { return Self.nothing(trouble) }
        let limit = Limits.rowsPerJobTransaction
        var removed: [PerishableRows: Int] = [:]
        var open = PerishableRows.allCases
        // A kind that fails stops itself and no other; the run fails by it once they are done.
        var fault: (any Error)?
        while !open.isEmpty {
            for rows in open {
                try Task.checkCancellation()
                var count = 0
                do {
                    count = try await retention.remove(rows, limit: limit, fence: context.fence)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    fault = fault ?? error
                }
                removed[rows, default: 0] += count
                if count < limit { open.removeAll { $0 == rows } }
            }
        }
        for rows in PerishableRows.allCases {
            guard let count = removed[rows], count > 0 else { continue }
            try await context.record(rows.rawValue, "removed", detail: Plural.of(count, "old row"))
        }
        if let fault { throw fault }
        let total = removed.values.reduce(0, +)
        return JobReport(
            itemsDone: Int64(total),
            summary: total == 0 ? "no old rows" : "\(Plural.of(total, "old row")) removed")
    }

    func previewRetention() async throws -> JobPreview {
        var items: [JobPreview.Item] = []
        var total = 0
        let limit = Limits.rowsInOneAnswer
        for rows in PerishableRows.allCases {
            try Task.checkCancellation()
            let count = try await retention.count(rows, limit: limit)
            total += count
            guard count > 0 else { continue }
            items.append(.init(reference: rows.rawValue, verdict: .wouldRemove(count)))
        }
        return JobPreview(
            items: items,
            summary: total == 0 ? "no old rows" : "\(Plural.of(total, "old row")) would be removed")
    }
}
