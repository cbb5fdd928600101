internal import Application
internal import Operations
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// A job as operators know it, told by the composition root: the server runs none itself.
package struct JobDescription: Hashable, Sendable {
    /// The name.
    package var name: String
    /// What it does, in a sentence.
    package var summary: String
    /// How often it runs.
    package var intervalMilliseconds: Int64

    /// Makes a description.
    package init(name: String, summary: String, intervalMilliseconds: Int64) {
        self.name = name
        self.summary = summary
        self.intervalMilliseconds = intervalMilliseconds
    }
}

/// Jobs and their history on the wire.
struct JobsHandlers: JobsServiceHandlers {
    let queries: OperatorQueries
    let descriptions: [JobDescription]

    func listJobs(_ request: V1.ListJobsRequest, _ context: ServerCallContext) async throws
        -> V1.ListJobsResponse
    {
        let standing = try await queries.jobs()
        return V1.ListJobsResponse(
            jobs: descriptions.map { description in
                let (record, last) = standing[description.name] ?? (nil, nil)
                return V1.Job(
                    name: description.name, summary: description.summary,
                    intervalMilliseconds: description.intervalMilliseconds,
                    nextDueAtMilliseconds: record?.nextDueAt.milliseconds ?? 0,
                    lastState: last?.state.rawValue ?? "",
                    lastStartedAtMilliseconds: last?.startedAt.milliseconds ?? 0)
            })
    }

    func listJobRuns(_ request: V1.ListJobRunsRequest, _ context: ServerCallContext) async throws
        -> V1.ListJobRunsResponse
    {
        let limit = try pageSize(request.limit, default: 20, most: 200)
        let name = request.jobName.isEmpty ? nil : request.jobName
        let runs = try await queries.runs(of: name, limit: limit)
        if runs.isEmpty, let name { try checkKnown(name) }
        return V1.ListJobRunsResponse(
            runs: runs.map { run in
                V1.JobRun(
                    runId: run.id.description, jobName: run.job, state: run.state.rawValue,
                    startedAtMilliseconds: run.startedAt.milliseconds,
                    endedAtMilliseconds: run.endedAt?.milliseconds ?? 0,
                    itemsDone: run.itemsDone, itemsFailed: run.itemsFailed, summary: run.summary)
            })
    }

    /// Refuses the name of no job: its empty history would look like a job that never ran.
    private func checkKnown(_ name: String) throws {
        guard !descriptions.contains(where: { $0.name == name }) else { return }
        let known = descriptions.map(\.name).joined(separator: ", ")
        throw Failure(.notFound, "There is no job of this name; known are \(known).")
    }
}
