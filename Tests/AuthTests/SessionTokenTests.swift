import Auth
import Testing
import TollgateKernel

@Suite("Session tokens")
struct SessionTokenTests {
    private static let counting = [UInt8](0..<32)
    private static let countingText = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // Texts and digests from Python's base64 and hashlib.
    @Test(
        arguments: [
            (
                [UInt8](repeating: 0, count: 32), String(repeating: "A", count: 43),
                "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
            ),
            (
                counting, countingText,
                "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
            ),
            (
                [UInt8](repeating: 255, count: 32), String(repeating: "_", count: 42) + "8",
                "af9613760f72635fbdb44a5a0a63c39f12af30f950a6ee5c971be188e89c4051"
            ),
        ])
    func aTokenHasItsTextAndItsDigest(secret: [UInt8], text: String, digest: String) throws {
        let token = try #require(SessionToken.make(from: secret))
        #expect(token.text == text)
        #expect(hexadecimal(try token.digest) == digest)
        #expect(SessionToken(text: text) == token)
    }

    @Test(arguments: [0, 31, 33])
    func aSecretHas32Bytes(count: Int) {
        #expect(SessionToken.make(from: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test(
        arguments: [
            "Bearer ", "bearer ", "BEARER ", "Bearer   ",
        ])
    func theHeadersSchemeIsReadInAnyCase(prefix: String) throws {
        let token = try #require(SessionToken(secret: Self.counting))
        let credential = CallerCredential.parse(authorization: prefix + Self.countingText)
        #expect(credential == .session(token))
    }

    @Test(
        arguments: [
            "", "Bearer", "Bearer ", "Basic \(countingText)", countingText,
            "Bearer\(countingText)", "Bearer \(countingText) x", "Bearer \(countingText)A",
            "Bearer \(countingText)=", "Bearer \(countingText.dropLast())",
            "Bearer\t\(countingText)",
            // A byte that is none of the alphabet, and the standard alphabet's.
            "Bearer \(countingText.dropLast())!", "Bearer +\(countingText.dropFirst())",
            // Bits left over that are not zero: a second text of the same token.
            "Bearer \(countingText.dropLast())9",
        ])
    func anythingElseIsNoToken(header: String) {
        #expect(CallerCredential.parse(authorization: header) == nil)
    }

    @Test func oneSecretHasOneText() {
        let endings = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let read = endings.filter {
            SessionToken(text: Self.countingText.dropLast() + String($0)) != nil
        }
        // 43 symbols carry 258 bits: of 64 endings, the 16 whose last two bits are zero.
        #expect(read.count == 16)
    }

    @Test func aTokenIsHiddenInLogs() throws {
        let token = try #require(SessionToken.make(from: Self.counting))
        #expect(!"\(token)".contains("AAEC"))
    }
}
