import Accounts
import Application
import Auth
import Storage
import TestSupport
import Testing
import TollgateKernel

@Suite struct SignInTests {
    @Test func `The first login opens the account with its welcome grant, the second does not`()
        async throws
    {
        try await TestBench.with { bench in
            let first = try await bench.signIn()
            #expect(first.accountOpened)
            let second = try await bench.signIn()
            #expect(!second.accountOpened)
            #expect(second.session.account == first.session.account)
            let quota = try await AccountQueries(bench.ports).quota(of: first.session.account)
            #expect(quota.ledger.balance == Credits(whole: 2))
            #expect(quota.lots.map(\.origin) == [.welcome])
            #expect(try await bench.violations() == [])
        }
    }

    @Test func `A code works once and only while it lives`() async throws {
        try await TestBench.with { bench in
            let text = try bench.ports.identityKey.deriveLoginCode(
                pushKey: "p", openID: "o", attempt: 0)
            let code = LoginCode(
                digest: try bench.ports.identityKey.loginCodeDigest(text), openID: "o",
                expiresAt: bench.clock.now().adding(milliseconds: 180_000))
            let now = bench.clock.now()
            _ = try await bench.store.write { tx in try tx.auth.insert(code, now: now) }
            let signIn = SignIn(bench.ports)
            _ = try await signIn.signIn(typed: text.printed, source: "s", device: "d")
            await #expect(throws: Failure.self) {
                try await signIn.signIn(typed: text.printed, source: "s", device: "d")
            }
            _ = try await bench.store.write { tx in try tx.auth.insert(code, now: now) }
            bench.clock.advance(milliseconds: 180_000)
            await #expect(throws: Failure.self) {
                try await signIn.signIn(typed: text.printed, source: "s", device: "d")
            }
        }
    }

    @Test func `Of parallel logins with one code exactly one succeeds`() async throws {
        try await TestBench.with { bench in
            let text = try bench.ports.identityKey.deriveLoginCode(
                pushKey: "p", openID: "o", attempt: 0)
            let code = LoginCode(
                digest: try bench.ports.identityKey.loginCodeDigest(text), openID: "o",
                expiresAt: bench.clock.now().adding(milliseconds: 180_000))
            let now = bench.clock.now()
            _ = try await bench.store.write { tx in try tx.auth.insert(code, now: now) }
            let signIn = SignIn(bench.ports)
            let succeeded = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        (try? await signIn.signIn(
                            typed: text.printed, source: "s\(index)", device: "d")) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(succeeded == 1)
        }
    }

    @Test func `Wrong guesses of one source are limited, another source goes on`() async throws {
        try await TestBench.with { bench in
            let signIn = SignIn(bench.ports)
            var codes: [Failure.Code] = []
            for _ in 0..<7 {
                do {
                    _ = try await signIn.signIn(
                        typed: "ZZZZ-ZZZZ", source: "guesser", device: "d")
                } catch let failure as Failure {
                    codes.append(failure.code)
                }
            }
            #expect(
                codes == Array(repeating: .unauthenticated, count: 5)
                    + Array(repeating: .rateLimited, count: 2))
            let honest = try await bench.signIn()
            #expect(honest.accountOpened)
        }
    }

    @Test func `Who changes the address within a network of IPv6 guesses no more often`()
        async throws
    {
        try await TestBench.with { bench in
            let signIn = SignIn(bench.ports)
            func guess(from source: String) async -> Failure.Code? {
                do {
                    _ = try await signIn.signIn(typed: "ZZZZ-ZZZZ", source: source, device: "d")
                    return nil
                } catch {
                    return (error as? Failure)?.code
                }
            }
            var codes: [Failure.Code?] = []
            for number in 1...7 { codes.append(await guess(from: "2001:db8:0:1::\(number)")) }
            #expect(codes.suffix(2) == [.rateLimited, .rateLimited])
            #expect(codes.prefix(5).allSatisfy { $0 == .unauthenticated })
            #expect(await guess(from: "2001:db8:0:2::1") == .unauthenticated)
        }
    }

    @Test func `A session ends at logout and by time`() async throws {
        try await TestBench.with { bench in
            let signIn = SignIn(bench.ports)
            let first = try await bench.signIn()
            let callers = Callers(bench.ports)
            let caller = try await callers.whoIs(.session(first.token))
            #expect(caller.account.id == first.session.account)
            try await signIn.signOut(first.token)
            await #expect(throws: Failure.self) { try await callers.whoIs(.session(first.token)) }
            let second = try await bench.signIn()
            bench.clock.advance(milliseconds: Limits.loginSessionMilliseconds)
            await #expect(throws: Failure.self) { try await callers.whoIs(.session(second.token)) }
        }
    }
}
