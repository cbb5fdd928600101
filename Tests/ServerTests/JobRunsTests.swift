import Testing
import TollgateClient
import TollgateKernel

@Suite(.timeLimit(.minutes(5))) struct JobRunsTests {
    @Test func `The history of a job that is none is refused, not empty`() async throws {
        try await ServerBench.with { world in
            try await world.client("admin") { client in
                let jobs = JobsServiceClient(client)
                #expect(try await jobs.listJobRuns(V1.ListJobRunsRequest()).runs.isEmpty)
                let refused = await error {
                    _ = try await jobs.listJobRuns(V1.ListJobRunsRequest(jobName: "nope"))
                }
                #expect(refused?.code == "not_found")
                #expect(refused?.message.hasPrefix("There is no job of this name") == true)
                let known = try await jobs.listJobRuns(V1.ListJobRunsRequest(jobName: "outbox"))
                #expect(known.runs.isEmpty)
            }
        }
    }
}
