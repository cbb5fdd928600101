import Application
import Auth
import Testing
import TollgateKernel

@testable import Storage

@Suite struct LoginAttemptContractTests {
    private func attempt(
        _ number: UInt8, source: UInt8 = 50, expiresAt: Timestamp = .after(100),
        _ state: LoginAttempt.State = .pending
    ) throws -> LoginAttempt {
        LoginAttempt(
            scene: try #require(LoginScene(randomBytes: [UInt8](repeating: number, count: 16))),
            secretDigest: digest(number), source: digest(source), device: "Firefox \(number)",
            createdAt: start, expiresAt: expiresAt, state: state)
    }

    @Test(arguments: Engine.all) func everyStateIsReadAsItWasStored(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            var states: [LoginAttempt.State] = [
                .pending, .scanned(openID: "p1", number: 42), .confirmed(openID: "p2"),
                .redeemed(openID: "p3"),
            ]
            states += LoginAttempt.Refusal.allCases.map { .refused($0) }
            for (index, state) in states.enumerated() {
                var attempt = try attempt(UInt8(index))
                try tx.loginAttempts.insert(attempt)
                if state != .pending {
                    attempt.state = state
                    try tx.loginAttempts.save(attempt, was: .pending)
                }
                #expect(try tx.loginAttempts.attempt(scene: attempt.scene) == attempt)
                #expect(
                    try tx.loginAttempts.attempt(secretDigest: attempt.secretDigest) == attempt)
            }
            #expect(try tx.loginAttempts.attempt(secretDigest: digest(99)) == nil)
        }
    }

    @Test(arguments: Engine.all) func aSecretAndASceneAreOneAttempts(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let first = try attempt(1)
            try tx.loginAttempts.insert(first)
            var sameSecret = try attempt(2)
            sameSecret.secretDigest = digest(1)
            var sameScene = try attempt(3)
            sameScene.scene = first.scene
            let twins = [sameSecret, sameScene]
            for twin in twins {
                #expect(try refused { try tx.loginAttempts.insert(twin) } == .constraint)
            }
        }
    }

    @Test(arguments: Engine.all) func aPersonHasOneOpenAttempt(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            var first = try attempt(1)
            try tx.loginAttempts.insert(first)
            first.state = .scanned(openID: "p", number: 10)
            try tx.loginAttempts.save(first, was: .pending)
            var second = try attempt(2)
            try tx.loginAttempts.insert(second)
            second.state = .scanned(openID: "p", number: 11)
            let another = second
            #expect(
                try refused { try tx.loginAttempts.save(another, was: .pending) } == .constraint)
            #expect(try tx.loginAttempts.openAttempt(openID: "p") == first)
            let asked = first.state
            first.state = .confirmed(openID: "p")
            try tx.loginAttempts.save(first, was: asked)
            #expect(try tx.loginAttempts.openAttempt(openID: "p") == first)
            #expect(
                try refused { try tx.loginAttempts.save(another, was: .pending) } == .constraint)
            first.state = .redeemed(openID: "p")
            try tx.loginAttempts.save(first, was: .confirmed(openID: "p"))
            #expect(try tx.loginAttempts.openAttempt(openID: "p") == nil)
            try tx.loginAttempts.save(another, was: .pending)
            #expect(try tx.loginAttempts.openAttempt(openID: "p") == another)
            #expect(try tx.loginAttempts.openAttempt(openID: "q") == nil)
        }
    }

    @Test(arguments: Engine.all) func anAttemptEndsOnce(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for (number, end) in [
                (1, LoginAttempt.State.redeemed(openID: "p")), (2, .refused(.declined)),
            ] {
                var ended = try attempt(UInt8(number))
                try tx.loginAttempts.insert(ended)
                ended.state = end
                try tx.loginAttempts.save(ended, was: .pending)
                // Who still takes it for pending has come too late.
                let late = ended
                #expect(
                    try refused { try tx.loginAttempts.save(late, was: .pending) } == .conflict)
                // And the engine itself lets nothing follow an end.
                var revived = ended
                revived.state = .confirmed(openID: "q")
                let again = revived
                #expect(try refused { try tx.loginAttempts.save(again, was: end) } == .constraint)
                #expect(try tx.loginAttempts.attempt(scene: ended.scene) == ended)
            }
        }
    }

    @Test(arguments: Engine.all) func attemptsCountForFiveMinutesFromTheFirst(
        _ engine: Engine
    ) async throws {
        try await inTransaction(engine) { tx throws in
            let life = Limits.loginAttemptMilliseconds
            let count = { (key: UInt8, moment: Int64) in
                try tx.loginAttempts.count(under: digest(key), at: .after(moment))
            }
            let counted = { (key: UInt8, moment: Int64) in
                try tx.loginAttempts.counted(under: digest(key), at: .after(moment))
            }
            #expect(try counted(50, 0) == 0)
            #expect(try count(50, 0) == 1)
            #expect(try count(50, 9) == 2)
            #expect(try count(51, 9) == 1)
            // Looking counts nothing, and sees what counting would.
            #expect(try counted(50, 9) == 2 && counted(50, life - 1) == 2)
            #expect(try counted(50, life) == 0 && counted(50, -1) == 0)
            #expect(try count(50, life - 1) == 3)
            // The first has run out; then this one has.
            #expect(try count(50, life) == 1)
            #expect(try count(50, 2 * life - 1) == 2)
            #expect(try count(50, 2 * life) == 1)
            // A clock that was set back begins anew, and locks nobody out.
            #expect(try count(50, 0) == 1)
            #expect(try count(50, 1) == 2)
            #expect(try tx.loginAttempts.forgetCounts(now: .after(life - 1), limit: 9) == 0)
            #expect(try tx.loginAttempts.forgetCounts(now: .after(life + 8), limit: 9) == 1)
            #expect(try count(51, 2 * life) == 1)
            #expect(try tx.loginAttempts.forgetCounts(now: .after(9 * life), limit: 1) == 1)
            #expect(try tx.loginAttempts.forgetCounts(now: .after(9 * life), limit: 9) == 0)
        }
    }

    @Test(arguments: Engine.all) func attemptsThatRanOutAreRemovedInParts(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            for number in 1...4 as ClosedRange<UInt8> {
                try tx.loginAttempts.insert(
                    attempt(number, expiresAt: .after(Int64(number))))
            }
            #expect(try tx.loginAttempts.removeExpiredAttempts(now: .after(4), limit: 2) == 2)
            #expect(try tx.loginAttempts.removeExpiredAttempts(now: .after(4), limit: 9) == 1)
            #expect(try tx.loginAttempts.attempt(secretDigest: digest(4)) != nil)
        }
    }
}
