import Application
import Auth
import TestSupport
import Testing
import TollgateKernel

@Suite struct LoginSessionsTests {
    private let noTrial = ServicePolicy(trialCallsPerDay: 0, welcomeGrant: Credits(whole: 50))

    private func ask(
        _ asking: Asking, _ session: SignIn.SignedIn, _ id: String
    ) async throws -> AnswerReceipt? {
        var question = asking.question(id)
        question.caller = .session(session.token)
        var receipt: AnswerReceipt?
        try await asking.useCase.answer(question) { event in
            if case .finished(let finished) = event { receipt = finished }
        }
        return receipt
    }

    @Test func `A chat is remembered on its session, once in five minutes`() async throws {
        try await Asking.with(policy: noTrial) { asking in
            let clock = asking.bench.clock
            let sessions = LoginSessions(asking.bench.ports)
            let mine = try await asking.bench.signIn()
            func lastUsed() async throws -> Timestamp? {
                try await sessions.list(for: mine.token).sessions
                    .first { $0.id == mine.session.id }?.lastUsedAt
            }
            let began = clock.now()
            #expect(try await lastUsed() == began)
            clock.advance(milliseconds: Limits.loginSessionUseMilliseconds - 1)
            _ = try await ask(asking, mine, "1")
            #expect(try await lastUsed() == began)
            clock.advance(milliseconds: 1)
            _ = try await ask(asking, mine, "2")
            #expect(try await lastUsed() == clock.now())
        }
    }

    @Test func `A session that was ended begins no chat, the others do`() async throws {
        try await Asking.with(policy: noTrial) { asking in
            let sessions = LoginSessions(asking.bench.ports)
            let phone = try await asking.bench.signIn()
            let laptop = try await asking.bench.signIn()
            let ended = try await sessions.end(phone.session.id, by: laptop.token)
            #expect(ended == (isEnded: true, isOwn: false))
            #expect(try await !sessions.end(phone.session.id, by: laptop.token).isEnded)
            let refusal = await #expect(throws: Failure.self) { try await ask(asking, phone, "1") }
            #expect(refusal?.code == .unauthenticated)
            #expect(try await ask(asking, laptop, "2") != nil)
            _ = try await asking.bench.signIn()
            #expect(try await sessions.endAll(by: laptop.token, keepsOwn: true) >= 1)
            let left = try await sessions.list(for: laptop.token)
            #expect(left.sessions.map(\.id) == [laptop.session.id])
            #expect(left.own == laptop.session.id)
        }
    }

    @Test func `Somebody else's session is none of yours`() async throws {
        try await Asking.with(policy: noTrial) { asking in
            let sessions = LoginSessions(asking.bench.ports)
            let ann = try await asking.bench.signIn()
            let bob = try await asking.bench.signIn(openID: "o_bob")
            #expect(try await !sessions.end(ann.session.id, by: bob.token).isEnded)
            #expect(try await sessions.endAll(by: bob.token, keepsOwn: false) == 1)
            #expect(try await ask(asking, ann, "1") != nil)
        }
    }

    @Test func `Of two sessions that end each other at once one is left`() async throws {
        try await TestBench.with { bench in
            let sessions = LoginSessions(bench.ports)
            for _ in 0..<20 {
                let pair = [try await bench.signIn(), try await bench.signIn()]
                let ended = await withTaskGroup(of: Bool.self) { group in
                    for mine in pair {
                        group.addTask {
                            (try? await sessions.endAll(by: mine.token, keepsOwn: true)) != nil
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(ended == 1)
            }
        }
    }

    @Test func `An account keeps so many sessions, the newest among them`() async throws {
        try await TestBench.with { bench in
            var last: SignIn.SignedIn?
            for _ in 0...Limits.loginSessionsOfAccount { last = try await bench.signIn() }
            let signedIn = try #require(last)
            let live = try await LoginSessions(bench.ports).list(for: signedIn.token).sessions
            #expect(live.count == Limits.loginSessionsOfAccount)
            #expect(live.first?.id == signedIn.session.id)
        }
    }
}
