import CLI
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("login --scan")
struct ScanLoginTests {
    private static let url = "http://weixin.qq.com/q/abc"

    /// What the server was asked.
    private final class Calls: Sendable {
        private let names = Mutex<[String]>([])
        func add(_ name: String) { names.withLock { $0.append(name) } }
        var all: [String] { names.withLock { $0 } }
    }

    private func beginning(_ calls: Calls) -> MethodRegistration {
        .unary(Methods.AuthService.beginScanLogin) {
            (request: V1.BeginScanLoginRequest, context) in
            calls.add("begin")
            #expect(request.device.hasPrefix("tollgate on "))
            #expect(context.authorization == nil)
            return V1.BeginScanLoginResponse(
                attemptSecret: "hush", codeUrl: Self.url,
                expiresAtMilliseconds: CommandTest.began + 300_000)
        }
    }

    /// Tells these events, one list for each time it is asked; then the last list again.
    private func awaiting(
        _ calls: Calls, _ streams: [[V1.ScanLoginEvent.Event]], failing: Failure? = nil
    ) -> MethodRegistration {
        .serverStreaming(Methods.AuthService.awaitScanLogin) {
            (
                request: V1.AwaitScanLoginRequest, _,
                responses: ServerStreamWriter<V1.ScanLoginEvent>
            ) in
            #expect(request.attemptSecret == "hush")
            let turn = calls.all.filter { $0 == "await" }.count
            calls.add("await")
            for event in streams[min(turn, streams.count - 1)] {
                try await responses.write(V1.ScanLoginEvent(event: event))
            }
            if turn < streams.count - 1, let failing { throw failing }
        }
    }

    private func redeeming(_ calls: Calls) -> MethodRegistration {
        .unary(Methods.AuthService.redeemScanLogin) {
            (request: V1.RedeemScanLoginRequest, _) in
            calls.add("redeem")
            #expect(request.attemptSecret == "hush")
            return V1.LoginResponse(
                sessionToken: "fresh", expiresAtMilliseconds: CommandTest.began + 60_000,
                accountId: "0H2K9QW3ZT4BM", accountOpened: true)
        }
    }

    private func cancelling(_ calls: Calls) -> MethodRegistration {
        .unary(Methods.AuthService.cancelScanLogin) {
            (request: V1.CancelScanLoginRequest, _) in
            calls.add("cancel")
            #expect(request.attemptSecret == "hush")
            return V1.CancelScanLoginResponse()
        }
    }

    private func methods(
        _ calls: Calls, _ streams: [[V1.ScanLoginEvent.Event]], failing: Failure? = nil
    ) -> [MethodRegistration] {
        [
            beginning(calls), awaiting(calls, streams, failing: failing), redeeming(calls),
            cancelling(calls),
        ]
    }

    private static let whole: [V1.ScanLoginEvent.Event] = [
        .waiting(V1.ScanLoginWaiting()), .scanned(V1.ScanLoginScanned(number: 42)),
        .done(V1.ScanLoginDone()),
    ]

    @Test func theCodeIsDrawnTheNumberShownAndTheSessionKept() async throws {
        let test = try CommandTest()
        let calls = Calls()
        let outcome = try await test.run(
            "login", "--scan", against: methods(calls, [Self.whole]))
        #expect(outcome.status == 0)
        #expect(calls.all == ["begin", "await", "redeem"])
        #expect(outcome.output.contains("█"))
        #expect(
            outcome.lines.suffix(5) == [
                "Scan it with WeChat, or open: \(Self.url)",
                "Scanned. If that was you, send 42 to the official account.",
                "Welcome: an account was opened for you.",
                "Signed in as 0H2K9QW3ZT4BM until 2026-01-31 06:06:09.",
                "Next: tollgate quota, tollgate chat",
            ])
        #expect(try test.profile().session()?.token == "fresh")
    }

    @Test func theJSONTellsEachStepAndNoSecret() async throws {
        let outcome = try await CommandTest().run(
            "login", "--scan", "--json", against: methods(Calls(), [Self.whole]))
        #expect(
            outcome.lines == [
                #"{"login":{"state":"waiting","codeUrl":"http://weixin.qq.com/q/abc","#
                    + #""expiresAtMilliseconds":1769839809000}}"#,
                #"{"login":{"state":"scanned","number":42}}"#,
                #"{"accountId":"0H2K9QW3ZT4BM","accountOpened":true,"#
                    + #""expiresAtMilliseconds":1769839569000,"server":"127.0.0.1:7400","#
                    + #""profile":"default"}"#,
            ])
        #expect(!outcome.output.contains("hush") && !outcome.errors.contains("hush"))
    }

    @Test func aRefusalOnThePhoneIsToldAndNothingRedeemed() async throws {
        let test = try CommandTest()
        let calls = Calls()
        let refused = V1.ScanLoginEvent.Event.error(
            V1.ScanLoginError(
                code: "forbidden", message: "The login was refused on the phone."))
        let outcome = try await test.run("login", "--scan", against: methods(calls, [[refused]]))
        #expect(outcome.status == 5)
        #expect(
            outcome.errors
                == "error: The login was refused on the phone.\n"
                + "Begin again: tollgate login --scan\n")
        #expect(!calls.all.contains("redeem"))
        #expect(try test.profile().session() == nil)
    }

    @Test func aBrokenWaitIsTakenUpAgainAndTheNumberShownOnce() async throws {
        let test = try CommandTest()
        let calls = Calls()
        let begun = Array(Self.whole.dropLast())
        let outcome = try await test.run(
            "login", "--scan",
            against: methods(
                calls, [begun, [], Self.whole], failing: Failure(.unavailable, "Draining.")))
        #expect(outcome.status == 0)
        #expect(calls.all == ["begin", "await", "await", "await", "redeem"])
        #expect(outcome.lines.filter { $0.hasPrefix("Scanned.") }.count == 1)
    }

    @Test func aWaitThatKeepsBreakingIsGivenUp() async throws {
        let calls = Calls()
        let streams = [[V1.ScanLoginEvent.Event]](repeating: [], count: 99)
        let outcome = try await CommandTest().run(
            "login", "--scan",
            against: methods(calls, streams, failing: Failure(.unavailable, "Draining.")))
        #expect(outcome.status == 9)
        #expect(calls.all.filter { $0 == "await" }.count >= 10)
        #expect(calls.all.last == "cancel")
    }

    @Test func aStreamWithoutAnEndIsNoLogin() async throws {
        let calls = Calls()
        let outcome = try await CommandTest().run(
            "login", "--scan", against: methods(calls, [Array(Self.whole.dropLast())]))
        #expect(outcome.status == 8)
        #expect(!calls.all.contains("redeem"))
    }

    @Test func ctrlCGivesTheLoginUp() async throws {
        let test = try CommandTest(isTerminal: true)
        let calls = Calls()
        let waiting = MethodRegistration.serverStreaming(Methods.AuthService.awaitScanLogin) {
            (
                _: V1.AwaitScanLoginRequest, _,
                responses: ServerStreamWriter<V1.ScanLoginEvent>
            ) in
            try await responses.write(
                V1.ScanLoginEvent(event: .waiting(V1.ScanLoginWaiting())))
            test.interrupts.deliver()
            try await Task.sleep(for: .seconds(60))
        }
        let outcome = try await test.run(
            "login", "--scan",
            against: [beginning(calls), waiting, redeeming(calls), cancelling(calls)])
        #expect(outcome.status == 130)
        #expect(calls.all == ["begin", "cancel"])
        #expect(outcome.errors.contains("Waiting for the scan (5:00 left)"))
        #expect(outcome.errors.hasSuffix("Stopped; nobody was signed in.\n"))
        #expect(try test.profile().session() == nil)
    }

    @Test func aCodeBesideTheScanIsAUsageError() async throws {
        let outcome = try await CommandTest().run("login", "--scan", "K7QM-4T2X", against: [])
        #expect(outcome.status == 2)
    }
}
