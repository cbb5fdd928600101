import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("admin")
struct AdminTests {
    private func audit(_ response: V1.AuditResponse) -> MethodRegistration {
        .unary(Methods.OperationsService.audit) { (_: V1.AuditRequest, context) in
            #expect(context.identity?.role == .admin)
            #expect(context.authorization == nil)
            return response
        }
    }

    @Test func cleanBooksEndWithZero() async throws {
        let finding = V1.AuditFinding(
            check: "C1", summary: "Transfers add up to balances", rows: 12_345)
        let method = audit(V1.AuditResponse(clean: true, findings: [finding]))
        let outcome = try await CommandTest().run("admin", "audit", against: [method])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "CHECK    ROWS  VIOLATIONS  PROVES",
                "C1     12,345           0  Transfers add up to balances",
                "The books are clean.",
            ])
    }

    @Test func aViolationIsSpeltOutAndEndsWithOne() async throws {
        let finding = V1.AuditFinding(
            check: "C2", summary: "Lots add up", rows: 2, violations: ["Lot 7 has -1."],
            violationCount: 21)
        let method = audit(V1.AuditResponse(clean: false, findings: [finding]))
        let outcome = try await CommandTest().run("admin", "audit", against: [method])
        #expect(outcome.status == 1)
        #expect(outcome.lines.suffix(3) == ["C2", "  Lot 7 has -1.", "  … and 20 more"])
        #expect(outcome.errors == "error: The books do not add up: 21 violations.\n")
        let json = try await CommandTest().run("admin", "audit", "--json", against: [method])
        #expect(
            json.output
                == #"{"clean":false,"findings":[{"check":"C2","summary":"Lots add up","rows":2,"#
                + #""violationCount":21,"violations":["Lot 7 has -1."]}]}"# + "\n")
        #expect(
            json.errors
                == #"{"error":{"code":"audit_unclean","#
                + #""message":"The books do not add up: 21 violations."}}"# + "\n")
    }

    @Test(
        arguments: [([], 3_600_000...3_630_000), (["--timeout", "7"], 1...7_000)]
            as [([String], ClosedRange<Int64>)])
    func anAuditHasAnHourUnlessToldOtherwise(
        _ flags: [String], _ milliseconds: ClosedRange<Int64>
    ) async throws {
        let method = MethodRegistration.unary(Methods.OperationsService.audit) {
            (_: V1.AuditRequest, context) in
            #expect(milliseconds.contains(context.deadline.remainingMilliseconds))
            return V1.AuditResponse(clean: true)
        }
        let outcome = try await CommandTest().run(["admin", "audit"] + flags, against: [method])
        #expect(outcome.status == 0)
    }

    @Test func metricsAreCutInShanghaiAndCanBeOne() async throws {
        let method = MethodRegistration.unary(Methods.OperationsService.listMetrics) {
            (request: V1.ListMetricsRequest, _) in
            #expect(
                request
                    == V1.ListMetricsRequest(
                        resolution: "hour", fromMilliseconds: CommandTest.began - 7_200_000))
            return V1.ListMetricsResponse(points: [
                V1.MetricPoint(
                    periodStartMilliseconds: 1_769_839_200_000, metric: "chats",
                    dimension: "fast", value: 1_234),
                V1.MetricPoint(
                    periodStartMilliseconds: 1_769_839_200_000, metric: "revenue_fen",
                    dimension: "starter", value: 1_980),
            ])
        }
        let all = try await CommandTest().run(
            "admin", "metrics", "--since", "2h", against: [method])
        #expect(
            all.lines == [
                "HOUR              FIGURE       OF        VALUE",
                "2026-01-31 14:00  chats        fast      1,234",
                "2026-01-31 14:00  revenue_fen  starter  ¥19.80",
            ])
        let one = try await CommandTest().run(
            "admin", "metrics", "--since", "2h", "--metric", "chats", "--json", against: [method])
        #expect(
            one.output
                == #"{"resolution":"hour","points":[{"periodStartMilliseconds":1769839200000,"#
                + #""metric":"chats","dimension":"fast","value":1234}]}"# + "\n")
    }

    @Test func aSpanThatIsNoneIsAUsageError() async throws {
        let outcome = try await CommandTest().run(
            "admin", "metrics", "--since", "yesterday", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("--since takes a duration"))
    }

    @Test func incidentsAreListed() async throws {
        let method = MethodRegistration.unary(Methods.OperationsService.listIncidents) {
            (request: V1.ListIncidentsRequest, _) in
            #expect(request.limit == 5)
            return V1.ListIncidentsResponse(incidents: [
                V1.Incident(
                    atMilliseconds: CommandTest.began, kind: "amount_mismatch", reference: "O1",
                    summary: "Paid ¥0.01 instead of ¥9.90")
            ])
        }
        let outcome = try await CommandTest().run(
            "admin", "incidents", "--limit", "5", against: [method])
        #expect(
            outcome.lines == [
                "WHEN                 KIND             ABOUT  WHAT HAPPENED",
                "2026-01-31 06:05:09  amount_mismatch  O1     Paid ¥0.01 instead of ¥9.90",
            ])
    }

    @Test func aJobWithoutARunIsToldByItsName() async throws {
        let runs = MethodRegistration.unary(Methods.JobsService.listJobRuns) {
            (_: V1.ListJobRunsRequest, _) in V1.ListJobRunsResponse()
        }
        let named = try await CommandTest().run("admin", "job-runs", "outbox", against: [runs])
        #expect(named.output == "outbox has not run yet.\n")
        let all = try await CommandTest().run("admin", "job-runs", against: [runs])
        #expect(all.output == "No job has run yet.\n")
        let unknown = MethodRegistration.unary(Methods.JobsService.listJobRuns) {
            (_: V1.ListJobRunsRequest, _) -> V1.ListJobRunsResponse in
            throw Failure(.notFound, "There is no job of this name; known are outbox.")
        }
        let refused = try await CommandTest().run("admin", "job-runs", "x", against: [unknown])
        #expect(refused.status == 10)
    }

    @Test func jobsAndTheirRunsAreListed() async throws {
        let jobs = MethodRegistration.unary(Methods.JobsService.listJobs) {
            (_: V1.ListJobsRequest, _) in
            V1.ListJobsResponse(jobs: [
                V1.Job(
                    name: "outbox", summary: "Sends messages", intervalMilliseconds: 5_000,
                    nextDueAtMilliseconds: CommandTest.began + 5_000),
                V1.Job(
                    name: "order-close", summary: "Closes orders", intervalMilliseconds: 5_000,
                    nextDueAtMilliseconds: CommandTest.began - 1),
            ])
        }
        let listed = try await CommandTest().run("admin", "jobs", against: [jobs])
        #expect(
            listed.lines == [
                "JOB          EVERY  NEXT                 LAST       BEGAN  WHAT IT DOES",
                "outbox         5 s  2026-01-31 06:05:14  never ran  -      Sends messages",
                "order-close    5 s  when there is work   never ran  -      Closes orders",
            ])
        let runs = MethodRegistration.unary(Methods.JobsService.listJobRuns) {
            (request: V1.ListJobRunsRequest, _) in
            #expect(request == V1.ListJobRunsRequest(jobName: "outbox", limit: 20))
            return V1.ListJobRunsResponse(runs: [
                V1.JobRun(
                    runId: "R1", jobName: "outbox", state: "succeeded",
                    startedAtMilliseconds: CommandTest.began,
                    endedAtMilliseconds: CommandTest.began + 1_500, itemsDone: 3,
                    summary: "3 sent"),
                V1.JobRun(
                    runId: "R2", jobName: "outbox", state: "running",
                    startedAtMilliseconds: CommandTest.began),
            ])
        }
        let history = try await CommandTest().run("admin", "job-runs", "outbox", against: [runs])
        #expect(
            history.lines == [
                "BEGAN                JOB     STATE      TOOK  DONE  FAILED  WHAT HAPPENED",
                "2026-01-31 06:05:09  outbox  succeeded   1 s     3       0  3 sent",
                "2026-01-31 06:05:09  outbox  running       -     0       0",
            ])
    }

    @Test func theCliCredentialIsNotEnough() async throws {
        let test = try CommandTest()
        let outcome = try await test.run(
            "admin", "audit", "--credential-file",
            test.folder.path + "/.tollgate/credentials/cli",
            against: [audit(V1.AuditResponse(clean: true))])
        #expect(outcome.status == 5)
        #expect(outcome.errors.contains("This needs the admin credential"))
    }
}
