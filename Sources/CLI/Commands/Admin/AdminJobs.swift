package import ArgumentParser
import TollgateClient

/// `tollgate admin jobs`.
package struct AdminJobs: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List the jobs and how they stand.",
        discussion: """
            EXAMPLES:
              tollgate admin jobs
              tollgate admin job-runs payment-reconcile
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let jobs = try await invocation.withClient { client, options in
            try await JobsServiceClient(client)
                .listJobs(V1.ListJobsRequest(), options: options).jobs
        }
        if invocation.isJSON {
            invocation.console.json(.object([("jobs", .array(jobs.map(\.json)))]))
            return
        }
        // A job that found nothing to do writes nothing: its next moment then lies behind.
        let now = invocation.environment.now()
        var table = TextTable([
            ("JOB", .left), ("EVERY", .right), ("NEXT", .left), ("LAST", .left),
            ("BEGAN", .left), ("WHAT IT DOES", .flexible),
        ])
        for job in jobs {
            table.add([
                job.name, Moments.duration(job.intervalMilliseconds),
                job.nextDueAtMilliseconds <= now
                    ? "when there is work" : invocation.moments.moment(job.nextDueAtMilliseconds),
                job.lastState.isEmpty ? "never ran" : job.lastState,
                invocation.moments.moment(job.lastStartedAtMilliseconds), job.summary,
            ])
        }
        invocation.console.table(table, ifEmpty: "No job is known: is `tollgate jobs serve` up?")
    }
}

/// `tollgate admin job-runs`.
package struct AdminJobRuns: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "job-runs",
        abstract: "List the runs of one job or of all, newest first.",
        discussion: """
            EXAMPLES:
              tollgate admin job-runs
              tollgate admin job-runs payment-reconcile --limit 5
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// The job.
    @Argument(help: "The job; without it, every job's runs.")
    package var job: String?

    /// Runs told.
    @Option(
        parsing: .unconditional, help: ArgumentHelp("How many runs, 1 to 200.", valueName: "number")
    )
    package var limit: Int64 = 20

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit takes 1 to 200.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let request = V1.ListJobRunsRequest(jobName: job ?? "", limit: limit)
        let runs = try await invocation.withClient { client, options in
            try await JobsServiceClient(client).listJobRuns(request, options: options).runs
        }
        if invocation.isJSON {
            invocation.console.json(.object([("runs", .array(runs.map(\.json)))]))
            return
        }
        var table = TextTable([
            ("BEGAN", .left), ("JOB", .left), ("STATE", .left), ("TOOK", .right),
            ("DONE", .right), ("FAILED", .right), ("WHAT HAPPENED", .flexible),
        ])
        for run in runs {
            let took = run.endedAtMilliseconds - run.startedAtMilliseconds
            table.add([
                invocation.moments.moment(run.startedAtMilliseconds), run.jobName, run.state,
                run.endedAtMilliseconds == 0 ? "-" : Moments.duration(took),
                Amounts.grouped(run.itemsDone.magnitude),
                Amounts.grouped(run.itemsFailed.magnitude), run.summary,
            ])
        }
        invocation.console.table(
            table,
            ifEmpty: job.map { "\(TerminalText.line($0)) has not run yet." }
                ?? "No job has run yet.")
    }
}

extension V1.Job {
    fileprivate var json: JSONValue {
        .object([
            ("name", .text(name)),
            ("summary", .text(summary)),
            ("intervalMilliseconds", .number(intervalMilliseconds)),
            ("nextDueAtMilliseconds", .number(nextDueAtMilliseconds)),
            ("lastState", .text(lastState)),
            ("lastStartedAtMilliseconds", .number(lastStartedAtMilliseconds)),
        ])
    }
}

extension V1.JobRun {
    fileprivate var json: JSONValue {
        .object([
            ("runId", .text(runId)),
            ("jobName", .text(jobName)),
            ("state", .text(state)),
            ("startedAtMilliseconds", .number(startedAtMilliseconds)),
            ("endedAtMilliseconds", .number(endedAtMilliseconds)),
            ("itemsDone", .number(itemsDone)),
            ("itemsFailed", .number(itemsFailed)),
            ("summary", .text(summary)),
        ])
    }
}
