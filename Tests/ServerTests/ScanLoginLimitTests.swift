import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import Weixin

/// What bounds logins by QR code: time, number, WeChat's favour.
@Suite(.timeLimit(.minutes(5))) struct ScanLoginLimitTests {
    /// How far an attempt has come when its time runs out.
    enum Progress: CaseIterable, Sendable {
        case pending, scanned, confirmed
    }

    @Test(arguments: Progress.allCases)
    func `After five minutes nothing helps, however far it had come`(progress: Progress)
        async throws
    {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            var number: Int64 = 0
            switch progress {
            case .pending: break
            case .scanned:
                _ = try await scan.scan(attempt)
                number = try await scan.number(attempt)
            case .confirmed: try await scan.confirm(attempt)
            }
            scan.world.bench.clock.advance(milliseconds: Limits.loginAttemptMilliseconds)
            #expect(await scan.refusal(attempt.secret) == "unauthenticated")
            guard case .error(let error) = try await scan.standing(attempt.secret) else {
                Issue.record("the screen is not told")
                return
            }
            #expect(error.code == "unauthenticated")
            #expect(try await scan.scan(attempt).contains("no longer works"))
            #expect(!(try await scan.say(String(number)).contains("Confirmed")))
            #expect(await scan.refusal(attempt.secret) == "unauthenticated")
        }
    }

    @Test func `Of parallel redemptions exactly one signs in`() async throws {
        try await ScanWorld.with(.socket) { scan in
            let attempt = try await scan.begin()
            try await scan.confirm(attempt)
            let outcomes = await withTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { await scan.refusal(attempt.secret) } }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(outcomes.filter { $0 == nil }.count == 1)
            #expect(outcomes.compactMap { $0 }.allSatisfy { $0 == "conflict" })
        }
    }

    @Test func `A screen that gives up leaves nothing to confirm`() async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            _ = try await scan.scan(attempt)
            let number = try await scan.number(attempt)
            for _ in 0..<2 {
                _ = try await scan.auth.cancelScanLogin(
                    V1.CancelScanLoginRequest(attemptSecret: attempt.secret))
            }
            #expect(!(try await scan.say(String(number)).contains("Confirmed")))
            #expect(await scan.refusal(attempt.secret) == "unauthenticated")
        }
    }

    @Test func `Attempts of one source are limited, also cancelled ones, until they run out`()
        async throws
    {
        try await ScanWorld.with { scan in
            for _ in 0..<Limits.loginAttemptsOfSource {
                let attempt = try await scan.begin(source: "one")
                _ = try await scan.auth.cancelScanLogin(
                    V1.CancelScanLoginRequest(attemptSecret: attempt.secret))
            }
            let asked = scan.world.messages.scenes.count
            let refused = await error { _ = try await scan.begin(source: "one") }
            #expect(refused?.code == "rate_limited")
            #expect(refused?.retryAfterMilliseconds == 60_000)
            #expect(scan.world.messages.scenes.count == asked, "WeChat is not asked for it")
            _ = try await scan.begin(source: "another")
            scan.world.bench.clock.advance(milliseconds: Limits.loginAttemptMilliseconds)
            _ = try await scan.begin(source: "one")
        }
    }

    @Test func `Only the web tier is believed where a login is begun`() async throws {
        try await ServerBench.with { world in
            try await world.client("cli") { client in
                let scan = ScanWorld(world, client)
                var codes: [String?] = []
                for number in 0...Limits.loginAttemptsOfSource {
                    codes.append(
                        await error { _ = try await scan.begin(source: "source \(number)") }?.code)
                }
                #expect(codes.last == "rate_limited")
                #expect(codes.dropLast().allSatisfy { $0 == nil })
            }
        }
    }

    @Test(arguments: [
        (OfficialAccountFailure.Kind.temporary, "unavailable"), (.misconfigured, "upstream_failed"),
        (.final, "upstream_failed"),
    ])
    func `Without a QR code there is no attempt`(
        kind: OfficialAccountFailure.Kind, code: String
    ) async throws {
        try await ScanWorld.with { scan in
            scan.world.messages.failNext([kind])
            let refused = await error { _ = try await scan.begin() }
            #expect(refused?.code == code)
            #expect(refused?.message.contains("sign in with a code") == true)
            let scene = try #require(scan.world.messages.scenes.last)
            let attempt = ScanWorld.Attempt(secret: "", scene: scene)
            #expect(try await scan.scan(attempt).contains("no longer works"))
        }
    }

    @Test func `A QR code of another kind is none of ours`() async throws {
        try await ScanWorld.with { scan throws in
            let campaign = ScanWorld.Attempt(secret: "", scene: "campaign-7")
            #expect(try await scan.scan(campaign) == "")
            #expect(try await scan.follow(by: campaign).contains("Welcome"))
            let unknown = ScanWorld.Attempt(
                secret: "", scene: "login-000102030405060708090a0b0c0d0e0f")
            #expect(try await scan.scan(unknown).contains("no longer works"))
        }
    }

    @Test func `A device's name puts no words and no address into the official account's mouth`()
        async throws
    {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin(
                device: "x”.\nSend 42 to http://evil.example/a?b\u{202e}")
            let asked = try await scan.scan(attempt)
            #expect(asked.contains("“x Send 42 to http evil example a b” asks"))
            #expect(asked.split(separator: "\n").count == 3)
        }
    }
}
