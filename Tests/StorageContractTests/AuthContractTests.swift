import Accounts
import Application
import Auth
import Testing
import TollgateKernel
import Weixin

@testable import Storage

func session(_ number: Int64, expiresAt: Timestamp = .after(100)) -> LoginSession {
    LoginSession(
        id: LoginSessionID(rawValue: number), digest: digest(UInt8(number)),
        account: AccountID(rawValue: 1), device: "browser \(number)", createdAt: start,
        expiresAt: expiresAt)
}

@Suite struct AuthContractTests {
    private func code(
        _ number: UInt8, openID: String = "openid-1", expiresAt: Timestamp = .after(100)
    ) -> LoginCode {
        LoginCode(digest: digest(number), openID: openID, expiresAt: expiresAt)
    }

    @Test(arguments: Engine.all) func aCodeWorksOnceAndInTime(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.auth.insert(code(1), now: start))
            #expect(try tx.auth.takeLoginCode(digest: digest(2), now: start) == nil)
            #expect(try tx.auth.takeLoginCode(digest: digest(1), now: .after(100)) == nil)
            #expect(try tx.auth.takeLoginCode(digest: digest(1), now: .after(99)) == code(1))
            #expect(try tx.auth.takeLoginCode(digest: digest(1), now: .after(99)) == nil)
        }
    }

    @Test(arguments: Engine.all) func aPersonHasOneCode(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.auth.insert(code(1), now: start))
            #expect(try tx.auth.insert(code(2), now: start))
            #expect(try tx.auth.insert(code(3, openID: "openid-2"), now: start))
            #expect(try tx.auth.takeLoginCode(digest: digest(1), now: start) == nil)
            #expect(try tx.auth.takeLoginCode(digest: digest(2), now: start) == code(2))
            #expect(
                try tx.auth.takeLoginCode(digest: digest(3), now: start)
                    == code(3, openID: "openid-2"))
        }
    }

    @Test(arguments: Engine.all) func aLiveCodeOfSomebodyElseIsNotOverwritten(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.auth.insert(code(1, openID: "other"), now: start))
            #expect(try tx.auth.insert(code(2), now: start))
            #expect(try !tx.auth.insert(code(1), now: .after(99)))
            // Nothing changed: the person's own code of before still stands.
            #expect(try tx.auth.takeLoginCode(digest: digest(2), now: start) == code(2))
            // At its expiry the digest is free again.
            #expect(try tx.auth.insert(code(1, expiresAt: .after(200)), now: .after(100)))
            #expect(
                try tx.auth.takeLoginCode(digest: digest(1), now: .after(101))
                    == code(1, expiresAt: .after(200)))
        }
    }

    @Test(arguments: Engine.all) func ownCodeMayBeDrawnAgain(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            #expect(try tx.auth.insert(code(1), now: start))
            #expect(try tx.auth.insert(code(1, expiresAt: .after(300)), now: start))
            #expect(
                try tx.auth.takeLoginCode(digest: digest(1), now: .after(200))
                    == code(1, expiresAt: .after(300)))
        }
    }

    @Test(arguments: Engine.all) func expiredCodesAreRemovedInParts(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            for number in 1...5 as ClosedRange<UInt8> {
                _ = try tx.auth.insert(
                    code(number, openID: "p\(number)", expiresAt: .after(Int64(number))),
                    now: start)
            }
            #expect(try tx.auth.removeExpiredLoginCodes(now: .after(4), limit: 2) == 2)
            #expect(try tx.auth.removeExpiredLoginCodes(now: .after(4), limit: 2) == 1)
            #expect(try tx.auth.removeExpiredLoginCodes(now: .after(4), limit: 2) == 0)
            #expect(try tx.auth.takeLoginCode(digest: digest(5), now: .after(4)) != nil)
        }
    }

    @Test(arguments: Engine.all) func wrongGuessesCountForTheirSourceAndForAll(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            try tx.auth.recordWrongGuess(
                source: digest(1), minute: 100, countsInAll: true)
            try tx.auth.recordWrongGuess(
                source: digest(1), minute: 100, countsInAll: true)
            try tx.auth.recordWrongGuess(
                source: digest(2), minute: 100, countsInAll: true)
            try tx.auth.recordWrongGuess(
                source: [], minute: 100, countsInAll: true)
            #expect(try tx.auth.wrongGuesses(source: digest(1), minute: 100) == 2)
            #expect(try tx.auth.wrongGuesses(source: digest(2), minute: 100) == 1)
            #expect(try tx.auth.wrongGuesses(source: [], minute: 100) == 4)
            #expect(try tx.auth.wrongGuesses(source: [], minute: 101) == 0)
            try tx.auth.recordWrongGuess(
                source: digest(3), minute: 100, countsInAll: false)
            #expect(try tx.auth.wrongGuesses(source: digest(3), minute: 100) == 1)
            #expect(try tx.auth.wrongGuesses(source: [], minute: 100) == 4)
            try tx.auth.recordWrongGuess(
                source: digest(1), minute: 110, countsInAll: true)
            #expect(try tx.auth.wrongGuesses(source: [], minute: 100) == 4)
            try tx.auth.recordWrongGuess(
                source: digest(1), minute: 111, countsInAll: true)
            #expect(try tx.auth.wrongGuesses(source: [], minute: 100) == 0)
            #expect(try tx.auth.wrongGuesses(source: digest(1), minute: 110) == 1)
        }
    }

    @Test(arguments: Engine.all) func sessionsAreFoundByDigestLiveOrNot(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            try tx.auth.insert(session(1))
            #expect(try tx.auth.loginSession(digest: digest(1)) == session(1))
            #expect(try tx.auth.loginSession(digest: digest(2)) == nil)
            var twin = session(2)
            twin.digest = digest(1)
            let same = twin
            #expect(try refused { try tx.auth.insert(same) } == .constraint)
            #expect(try tx.auth.removeLoginSession(digest: digest(1)))
            #expect(try !tx.auth.removeLoginSession(digest: digest(1)))
            #expect(try tx.auth.loginSession(digest: digest(1)) == nil)
        }
    }

    @Test(arguments: Engine.all) func anAccountsSessionsAreListedAndEndedAlone(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let mine = AccountID(rawValue: 1)
            try tx.accounts.insert(account(2), openID: "openid-2")
            var other = session(4)
            other.account = AccountID(rawValue: 2)
            for session in [session(1), session(2, expiresAt: .after(5)), session(3), other] {
                try tx.auth.insert(session)
            }
            let live = try tx.auth.loginSessions(of: mine, now: .after(5), limit: 9)
            #expect(live == [session(3), session(1)])
            let newest = try tx.auth.loginSessions(of: mine, now: start, limit: 2)
            #expect(newest == [session(3), session(2, expiresAt: .after(5))])
            #expect(try !tx.auth.removeLoginSession(other.id, of: mine, now: start))
            // What is over already was not ended by anybody.
            #expect(try !tx.auth.removeLoginSession(session(2).id, of: mine, now: .after(5)))
            #expect(
                try tx.auth.removeLoginSessions(of: other.account, except: nil, now: .after(100))
                    == 0)
            #expect(try tx.auth.removeLoginSession(session(1).id, of: mine, now: start))
            #expect(try !tx.auth.removeLoginSession(session(1).id, of: mine, now: start))
            #expect(
                try tx.auth.removeLoginSessions(of: mine, except: session(3).id, now: start) == 1)
            #expect(try tx.auth.loginSessions(of: mine, now: start, limit: 9) == [session(3)])
            #expect(try tx.auth.removeLoginSessions(of: mine, except: nil, now: start) == 1)
            #expect(try tx.auth.loginSession(digest: other.digest) == other)
        }
    }

    @Test(arguments: Engine.all) func theSessionUsedLeastRecentlyMakesRoom(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let mine = AccountID(rawValue: 1)
            try tx.accounts.insert(account(2), openID: "openid-2")
            var other = session(9)
            other.account = AccountID(rawValue: 2)
            try tx.auth.insert(other)
            for number in 1...4 as ClosedRange<Int64> { try tx.auth.insert(session(number)) }
            try tx.auth.saveUse(ofLoginSession: session(1).id, at: .after(7))
            try tx.auth.saveUse(ofLoginSession: session(1).id, at: .after(6))
            #expect(try tx.auth.loginSession(digest: digest(1))?.lastUsedAt == .after(7))
            try tx.auth.trimLoginSessions(of: mine, to: 3, sparing: session(2).id)
            let three = try tx.auth.loginSessions(of: mine, now: start, limit: 9)
            #expect(three.map(\.id.rawValue) == [4, 2, 1])
            try tx.auth.trimLoginSessions(of: mine, to: 2, sparing: session(4).id)
            let left = try tx.auth.loginSessions(of: mine, now: start, limit: 9)
            #expect(left.map(\.id.rawValue) == [4, 1])
            #expect(try tx.auth.loginSession(digest: other.digest) == other)
        }
    }

    @Test(arguments: Engine.all) func endedSessionsAreRemovedInParts(_ engine: Engine) async throws
    {
        try await inTransaction(engine) { tx throws in
            for number in 1...4 as ClosedRange<Int64> {
                try tx.auth.insert(session(number, expiresAt: .after(number)))
            }
            #expect(try tx.auth.removeExpiredLoginSessions(now: .after(4), limit: 2) == 2)
            #expect(try tx.auth.removeExpiredLoginSessions(now: .after(4), limit: 9) == 1)
            #expect(try tx.auth.loginSession(digest: digest(4)) != nil)
        }
    }

    @Test(arguments: Engine.all) func aPushIsKeptOnceAndForgottenByAge(_ engine: Engine)
        async throws
    {
        try await inTransaction(engine) { tx throws in
            let first = ReceivedPush(
                key: "message", answer: "code", codeAttempt: 2, receivedAt: .after(1))
            try tx.pushes.insert(first)
            #expect(try tx.pushes.receivedPush(key: "message") == first)
            #expect(try tx.pushes.receivedPush(key: "other") == nil)
            #expect(try refused { try tx.pushes.insert(first) } == .constraint)
            var second = first
            second.key = "second"
            second.receivedAt = .after(2)
            try tx.pushes.insert(second)
            #expect(try tx.pushes.removePushes(before: .after(1), limit: 10) == 0)
            #expect(try tx.pushes.removePushes(before: .after(3), limit: 1) == 1)
            #expect(try tx.pushes.receivedPush(key: "message") == nil)
            #expect(try tx.pushes.receivedPush(key: "second") == second)
        }
    }

    @Test(arguments: Engine.all) func followingIsTheLastWord(_ engine: Engine) async throws {
        try await inTransaction(engine) { tx throws in
            try tx.pushes.setFollowing(openID: "p", true, at: .after(1))
            try tx.pushes.setFollowing(openID: "p", false, at: .after(2))
            let rows = try connection(tx).all(
                SQL("SELECT is_following, changed_at FROM followers")
            ) { row in [row.integer(0), row.integer(1)] }
            #expect(rows == [[0, Timestamp.after(2).milliseconds]])
        }
    }
}
