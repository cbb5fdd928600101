import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import Weixin

/// Logins by QR code, from the screen to the phone and back.
@Suite(.timeLimit(.minutes(5))) struct ScanLoginTests {
    @Test(arguments: Reach.allCases, [OfficialAccountIdentity.Mode.plain, .aes])
    func `A person scans, tells the number and is signed in on the screen`(
        reach: Reach, mode: OfficialAccountIdentity.Mode
    ) async throws {
        try await ServerBench.with(reach, mode: mode) { world in
            try await world.client { client in
                let scan = ScanWorld(world, client)
                let attempt = try await scan.begin()
                async let watched = watch(scan, attempt)
                #expect(await scan.refusal(attempt.secret) == "conflict")
                let asked = try await scan.follow(by: attempt)
                #expect(asked.contains("“Firefox on Linux”"))
                let number = try await scan.number(attempt)
                #expect(!asked.contains(String(number)), "the phone must not be told the number")
                #expect(await scan.refusal(attempt.secret) == "conflict")
                #expect(try await scan.say(" \(number) ").contains("Confirmed"))
                let told = try await watched
                // Looked at once a second: what is over sooner need not be told.
                #expect(["waiting", "scanned \(number)"].contains(told.first))
                #expect(told.last == "done")
                let signedIn = try await scan.redeem(attempt.secret)
                #expect(signedIn.accountOpened)
                let me = try await scan.auth.whoAmI(
                    V1.WhoAmIRequest(),
                    options: CallOptions(authorization: "Bearer \(signedIn.sessionToken)"))
                #expect(me.accountId == signedIn.accountId)
                #expect(await scan.refusal(attempt.secret) == "conflict", "it works once")
                // The same person by a code: the same account.
                #expect(try await world.signIn().account.description == signedIn.accountId)
            }
        }
    }

    /// What the screen is told until the end, as words.
    private func watch(_ scan: ScanWorld, _ attempt: ScanWorld.Attempt) async throws -> [String] {
        let request = V1.AwaitScanLoginRequest(attemptSecret: attempt.secret)
        return try await scan.auth.awaitScanLogin(request) { events in
            var words: [String] = []
            for try await event in events {
                switch event.event {
                case .waiting: words.append("waiting")
                case .scanned(let scanned): words.append("scanned \(scanned.number)")
                case .done: words.append("done")
                case .error(let error): words.append("error \(error.code)")
                case nil: words.append("nothing")
                }
            }
            return words
        }
    }

    @Test func `Who knows the scene and not the secret gets nothing`() async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            try await scan.confirm(attempt)
            let thief = try await scan.begin(source: "thief")
            for stolen in [attempt.scene, "", String(repeating: "A", count: 43)] {
                #expect(await scan.refusal(stolen) == "unauthenticated")
            }
            #expect(await scan.refusal(thief.secret) == "conflict")
            // Nor does the attempt's secret open a session by itself.
            let me = await error {
                _ = try await scan.auth.whoAmI(
                    V1.WhoAmIRequest(),
                    options: CallOptions(authorization: "Bearer \(attempt.secret)"))
            }
            #expect(me?.code == "unauthenticated")
            #expect(await scan.refusal(attempt.secret) == nil)
        }
    }

    @Test func `A push that comes again is answered alike and does nothing more`() async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            let clock = scan.world.bench.clock
            let pushes = try Pushes(scan.world.account, at: clock.now())
            let push = try pushes.event("SCAN", key: attempt.scene, id: 500)
            let first = try await scan.send(push)
            let number = try await scan.number(attempt)
            #expect(try await scan.send(push) == first)
            #expect(try await scan.number(attempt) == number)
            let reply = try pushes.text(String(number), id: 501)
            let confirmed = try await scan.send(reply)
            #expect(confirmed.contains("Confirmed"))
            _ = try await scan.redeem(attempt.secret)
            // Both again, after the end: the same words, and nothing moves.
            #expect(try await scan.send(reply) == confirmed)
            #expect(try await scan.send(push) == first)
            #expect(await scan.refusal(attempt.secret) == "conflict")
            // And the number, replayed as a fresh message, is only a text.
            #expect(try await scan.say(String(number)).contains("to get a login code"))
        }
    }

    @Test func `Of two people who scan one code neither is signed in`() async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            _ = try await scan.scan(attempt, by: "o_eve")
            let number = try await scan.number(attempt)
            #expect(try await scan.scan(attempt, by: "o_ann").contains("Somebody else"))
            for openID in ["o_eve", "o_ann"] {
                #expect(!(try await scan.say(String(number), openID).contains("Confirmed")))
            }
            #expect(await scan.refusal(attempt.secret) == "forbidden")
            #expect(try await scan.scan(attempt, by: "o_ann").contains("no longer works"))
        }
    }

    @Test func `A wrong number ends the attempt, and the right one comes too late`() async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            _ = try await scan.scan(attempt)
            let number = try await scan.number(attempt)
            let wrong = number == 99 ? 10 : number + 1
            #expect(try await scan.say(String(wrong)).contains("not the number"))
            #expect(!(try await scan.say(String(number)).contains("Confirmed")))
            #expect(await scan.refusal(attempt.secret) == "forbidden")
            guard case .error(let error) = try await scan.standing(attempt.secret) else {
                Issue.record("the screen is not told")
                return
            }
            #expect(error.message.contains("Another number"))
        }
    }

    @Test func `A person's wrong numbers are limited by the minute`() async throws {
        try await ScanWorld.with { scan in
            // A round minute, so that all of it falls into one.
            let clock = scan.world.bench.clock
            clock.advance(milliseconds: 60_000 - clock.now().milliseconds % 60_000)
            for _ in 0..<Limits.wrongGuessesOfSourceAMinute {
                let attempt = try await scan.begin()
                _ = try await scan.scan(attempt)
                let number = try await scan.number(attempt)
                _ = try await scan.say(String(number == 99 ? 10 : number + 1))
            }
            let limited = try await scan.begin()
            _ = try await scan.scan(limited)
            let right = String(try await scan.number(limited))
            #expect(try await scan.say(right).contains("Too many wrong numbers"))
            #expect(await scan.refusal(limited.secret) == "forbidden")
            clock.advance(milliseconds: 60_000)
            let later = try await scan.begin()
            try await scan.confirm(later)
            #expect(await scan.refusal(later.secret) == nil)
        }
    }

    @Test(arguments: ["no", "否"]) func `A no ends the attempt`(word: String) async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            _ = try await scan.scan(attempt)
            #expect(try await scan.say(word).contains("nobody was signed in"))
            #expect(await scan.refusal(attempt.secret) == "forbidden")
            // Without an attempt it is a text like any other.
            #expect(try await scan.say(word).contains("to get a login code"))
        }
    }

    @Test(arguments: [false, true])
    func `Who leaves the account in between is not signed in`(hasConfirmed: Bool) async throws {
        try await ScanWorld.with { scan in
            let attempt = try await scan.begin()
            if hasConfirmed {
                try await scan.confirm(attempt)
            } else {
                _ = try await scan.scan(attempt)
            }
            #expect(try await scan.leave() == "")
            #expect(await scan.refusal(attempt.secret) == "forbidden")
        }
    }

    @Test func `A person's number means the code they scanned last`() async throws {
        try await ScanWorld.with { scan in
            let first = try await scan.begin()
            let second = try await scan.begin()
            _ = try await scan.scan(first)
            _ = try await scan.scan(second)
            #expect(try await scan.say(String(scan.number(second))).contains("Confirmed"))
            #expect(await scan.refusal(first.secret) == "conflict")
            #expect(await scan.refusal(second.secret) == nil)
        }
    }
}
