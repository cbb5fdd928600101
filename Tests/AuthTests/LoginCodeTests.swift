import Auth
import Testing
import TollgateKernel

@Suite("Login codes")
struct LoginCodeTests {
    // Expected values of this file: Python's hmac, hashlib and base64 over the documented encoding.
    private func key(_ first: UInt8 = 0) throws -> IdentityKey {
        try #require(IdentityKey((0..<32).map { $0 + first }))
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 5), "0000-0000"),
            ([255, 255, 255, 255, 255], "ZZZZ-ZZZZ"),
            ([0x12, 0x34, 0x56, 0x78, 0x9a], "28T5-CY4T"),
            ([0x12, 0x34, 0x56, 0x78, 0x9a, 0xff, 0xff], "28T5-CY4T"),
        ])
    func aCodeIsTheFirstFortyBits(bytes: [UInt8], printed: String) {
        #expect(LoginCodeText.make(from: bytes)?.printed == printed)
    }

    @Test func fewerThanFortyBitsMakeNoCode() {
        #expect(LoginCodeText.make(from: [1, 2, 3, 4]) == nil)
    }

    @Test(
        arguments: [
            "K7QM4T2X", "K7QM-4T2X", "k7qm-4t2x", " K7QM 4T2X ", "k 7 q m - 4 t 2 x", "K7QM－4T2X",
            "Ｋ７ＱＭ４Ｔ２Ｘ", "K7QM\u{2013}4T2X", "K7QM\u{3000}4T2X\n",
        ])
    func caseSpacesHyphensAndWidthDoNotMatter(typed: String) {
        #expect(LoginCodeText.parse(typed: typed)?.characters == "K7QM4T2X")
    }

    @Test func lettersThatLookLikeDigitsReadAsDigits() {
        #expect(LoginCodeText.parse(typed: "OoIi-LlAB")?.characters == "001111AB")
    }

    @Test(
        arguments: [
            "", "K7QM4T2", "K7QM4T2XX", "U7QM4T2X", "K7QM4T2!", "K7QM_4T2X", "你好你好你好你好",
            "K7QM4T2É", String(repeating: " ", count: 100) + "K7QM4T2X",
        ])
    func anythingElseIsNoCode(typed: String) {
        #expect(LoginCodeText.parse(typed: typed) == nil)
    }

    @Test func whatIsPrintedIsReadBack() throws {
        for seed in UInt8(0)..<200 {
            let code = try #require(
                LoginCodeText.make(from: [seed, seed &* 7, seed &* 31, 255 - seed, seed ^ 90]))
            #expect(LoginCodeText.parse(typed: code.printed) == code)
        }
    }

    @Test func aCodeIsHiddenInLogs() throws {
        let code = try #require(LoginCodeText.parse(typed: "K7QM-4T2X"))
        #expect(!"\(code)".contains("K7QM"))
    }

    @Test func digestsAreThoseThatWereStoredForEver() throws {
        let key = try key()
        let code = try #require(LoginCodeText.parse(typed: "K7QM-4T2X"))
        #expect(
            hexadecimal(try key.openIDDigest("oABC"))
                == "2afb492fad0b56d212da82a3e07a7ee14752c7553dcb7b268a32e6b2ae1bb1c6")
        #expect(
            hexadecimal(try key.loginCodeDigest(code))
                == "91df54fb1e78cfd67c75e36608487a2b53de229155385d188f0973f4d186f244")
        #expect(
            hexadecimal(try key.sourceDigest("oABC"))
                == "9f58f0de0ae90de7b470f5d5f41637ba569fe427c7d4d5ef7f4595349474f873")
        #expect(
            try key.deriveLoginCode(pushKey: "push:1", openID: "oABC", attempt: 0).characters
                == "YR5Q6747")
    }

    @Test func digestsDependOnTheKey() throws {
        #expect(try key().openIDDigest("o") != key(1).openIDDigest("o"))
        #expect(IdentityKey([UInt8](repeating: 1, count: 31)) == nil)
    }

    @Test func aPushGetsItsCodeAgainAndNoOtherPushDoes() throws {
        let key = try key()
        func code(_ push: String, _ openID: String, _ attempt: Int64) throws -> String {
            try key.deriveLoginCode(pushKey: push, openID: openID, attempt: attempt).characters
        }
        #expect(try code("p", "o", 0) == code("p", "o", 0))
        let codes = [
            try code("p", "o", 0), try code("p", "o", 1), try code("q", "o", 0),
            try code("p", "r", 0), try code("po", "", 0), try code("", "po", 0),
        ]
        #expect(Set(codes).count == codes.count)
    }
}

@Suite("Guesses")
struct GuessLimitTests {
    @Test(
        arguments: [
            (Int64(0), Int64(0), true), (4, 299, true), (5, 5, false), (4, 300, false),
            (9, 400, false),
        ])
    func guessesAreLimitedForEachSourceAndInAll(source: Int64, all: Int64, isAllowed: Bool) {
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let failure = GuessLimit.judge(ofSource: source, inAll: all, at: now)
        #expect(failure?.code == (isAllowed ? nil : .rateLimited))
    }

    @Test func theWaitIsTheRestOfTheMinute() {
        // 1,700,000,040 seconds is a whole number of minutes.
        let minute: Int64 = 1_700_000_040_000
        for (offset, wait) in [(Int64(0), Int64(60_000)), (1, 59_999), (59_999, 1)] {
            let failure = GuessLimit.judge(
                ofSource: 5, inAll: 5, at: Timestamp(milliseconds: minute + offset))
            #expect(failure?.retryAfterMilliseconds == wait)
        }
    }

    @Test func minutesAreCountedFrom1970() {
        #expect(GuessLimit.minute(of: Timestamp(milliseconds: 0)) == 0)
        #expect(GuessLimit.minute(of: Timestamp(milliseconds: 59_999)) == 0)
        #expect(GuessLimit.minute(of: Timestamp(milliseconds: 60_000)) == 1)
        #expect(GuessLimit.minute(of: Timestamp(milliseconds: -1)) == -1)
        #expect(GuessLimit.minute(of: Timestamp(milliseconds: -60_001)) == -2)
    }
}
