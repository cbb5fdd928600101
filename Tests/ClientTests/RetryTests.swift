import Synchronization
import Testing
import TollgateKernel
import TollgateRPC

@testable import TollgateClient

/// Plays back outcomes and counts the attempts.
private final class ScriptedTransport: ClientTransport {
    private let outcomes: Mutex<[RPCError?]>
    private let count = Mutex(0)

    var attempts: Int { count.withLock { $0 } }

    init(_ outcomes: [RPCError?]) { self.outcomes = Mutex(outcomes) }

    /// Says what comes next.
    func play(_ next: [RPCError?]) { outcomes.withLock { $0 = next } }

    func unary(_ call: OutgoingCall) async throws(RPCError) -> [UInt8] {
        count.withLock { $0 += 1 }
        let outcome = outcomes.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let outcome { throw outcome }
        return []
    }

    func openStream(_ call: OutgoingCall) async throws(RPCError) -> any IncomingStream {
        _ = try await unary(call)
        throw RPCError(code: RPCError.Code.badRequest, text: "no streams here")
    }

    func close() async {}
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct RetryTests {
    private let lost = RPCError(code: RPCError.Code.connectionFailed, text: "lost")
    private let stopping = RPCError(
        code: RPCError.Code.loggedOff, text: "stopping", isNotProcessed: true)

    /// Calls an idempotent or another method; the error it ends in, and how often it was tried.
    private func play(
        _ outcomes: [RPCError?], isIdempotent: Bool, retriesInHand: Int = 10
    ) async -> (code: String?, attempts: Int) {
        let transport = ScriptedTransport(outcomes)
        let client = TollgateClient(
            transport: transport, retries: RetryPolicy(retriesInHand: retriesInHand))
        let method =
            isIdempotent ? Methods.DiagnosticsService.ping : Methods.AuthService.login
        let error = await errorOf { _ = try await client.unaryBytes(method, []) }
        return (error?.code, transport.attempts)
    }

    @Test func anIdempotentCallIsRepeatedAfterALoss() async {
        #expect(await play([lost, nil], isIdempotent: true) == (nil, 2))
    }

    @Test func anotherCallIsNotRepeatedAfterALoss() async {
        #expect(await play([lost, nil], isIdempotent: false) == ("unknown_outcome", 1))
    }

    @Test func aCallThatWasNotBegunIsRepeatedInEveryCase() async {
        #expect(await play([stopping, stopping, nil], isIdempotent: false) == (nil, 3))
    }

    @Test func thereAreThreeAttemptsAtMost() async {
        let outcomes = Array(repeating: stopping, count: 5)
        #expect(await play(outcomes, isIdempotent: true) == ("unavailable", 3))
    }

    @Test func aFailureOfTheHandlerIsNeverRepeated() async {
        let failure = RPCError(Failure(.quotaExhausted, "Buy more."))
        #expect(await play([failure], isIdempotent: true) == ("quota_exhausted", 1))
    }

    @Test func withoutBudgetNothingIsRepeated() async {
        #expect(
            await play([stopping, nil], isIdempotent: true, retriesInHand: 0)
                == ("unavailable", 1))
    }

    @Test func `ten calls that went well earn one retry, and no more are saved up than at first`() {
        var budget = RetryBudget(inHand: 2)
        for _ in 0..<100 { budget.earn() }
        let first = (0..<3).map { _ in budget.spend() }
        #expect(first == [true, true, false])
        for _ in 0..<9 { budget.earn() }
        let early = budget.spend()
        budget.earn()
        let due = (0..<2).map { _ in budget.spend() }
        #expect(!early)
        #expect(due == [true, false])
    }

    @Test func `calls that go well earn retries`() async {
        let transport = ScriptedTransport([stopping, nil, stopping])
        let client = TollgateClient(
            transport: transport, retries: RetryPolicy(retriesInHand: 1))
        func call() async -> String? {
            await errorOf { _ = try await client.unaryBytes(Methods.DiagnosticsService.ping, []) }?
                .code
        }
        #expect(await call() == nil, "the one in hand is used")
        #expect(await call() == "unavailable")
        for _ in 0..<9 { #expect(await call() == nil) }
        transport.play([stopping])
        #expect(await call() == nil, "ten have gone well since")
        #expect(transport.attempts == 14)
    }

    private func pause(
        _ error: RPCError, attempt: Int = 1, isIdempotent: Bool = true, remaining: Int64 = 10_000,
        random: Double = 1
    ) -> Int64? {
        RetryPolicy.pauseMilliseconds(
            after: error, attempt: attempt, isIdempotent: isIdempotent,
            remainingMilliseconds: remaining, random: random)
    }

    @Test func `pauses double`() {
        let first = pause(lost) ?? 0
        #expect(first > 0)
        #expect(pause(lost, attempt: 2) == 2 * first)
        #expect(pause(lost, attempt: Limits.rpcAttempts) == nil)
    }

    @Test func `half of a pause is random`() {
        let whole = pause(lost) ?? 0
        #expect(pause(lost, random: 0) == whole / 2)
        #expect(pause(lost, random: 0.5) == whole * 3 / 4)
    }

    @Test func `a server that says how long to wait is obeyed`() {
        let busy = RPCError(
            code: RPCError.Code.limit, text: "busy",
            userFields: [RPCError.Field.retryAfter: "700"], isNotProcessed: true)
        #expect(pause(busy) == 700)
        #expect(pause(busy, remaining: 700) == nil, "the deadline would pass meanwhile")
    }

    @Test func `a late attempt is made again only if that is safe`() {
        let late = RPCError(code: RPCError.Code.timedOut, text: "late")
        #expect(pause(late) != nil)
        #expect(pause(late, isIdempotent: false) == nil)
    }
}
