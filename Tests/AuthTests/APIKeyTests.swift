import Auth
import Testing
import TollgateKernel

@Suite("API keys")
struct APIKeyTests {
    private static let id = APIKeyID(rawValue: 1)
    private static let counting = [UInt8](0..<32)
    private static let text =
        "tg-0000000000001-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    private static let now = Timestamp(milliseconds: 6_000_000_000)

    private func key(
        models: [String] = [], cap: Int64? = nil, rate: Int64? = nil,
        expiresAt: Timestamp? = nil
    ) throws -> APIKey {
        let secret = try #require(APIKeySecret(id: Self.id, randomBytes: Self.counting))
        return APIKey(
            id: Self.id, digest: try secret.digest, account: AccountID(rawValue: 7), name: "ci",
            models: models.map(ModelName.init(rawValue:)), spendCap: cap.map(Credits.init(micro:)),
            requestsPerMinute: rate, createdAt: Self.now, expiresAt: expiresAt)
    }

    @Test func `A key's text is its id and its secret, and reads back`() throws {
        let secret = try #require(APIKeySecret(id: Self.id, randomBytes: Self.counting))
        #expect(secret.text == Self.text)
        #expect(secret.text.utf8.count == 60)
        #expect(APIKeySecret(text: Self.text) == secret)
        #expect(APIKeyID(shown: Self.id.shown) == Self.id)
        #expect("\(secret)" == "(API key tg-0000000000001)")
        #expect(try key().matches(digest: secret.digest))
        #expect(try !key().matches(digest: [UInt8](repeating: 0, count: 32)))
    }

    @Test(arguments: [
        "", "tg-", "tg-0000000000001", "tg-0000000000001-", "tg-000000000001-\(text.suffix(43))",
        "sk\(text.dropFirst(2))", "\(text)A", "\(text.dropLast())", "\(text.dropLast())!",
        "tg-0000000000000-\(text.suffix(43))", String(text.suffix(43)),
    ])
    func `Nothing else is a key`(text: String) {
        #expect(APIKeySecret(text: text) == nil)
    }

    @Test func `A header tells a key from a session`() throws {
        let secret = try #require(APIKeySecret(text: Self.text))
        #expect(CallerCredential.parse(authorization: "Bearer \(Self.text)") == .apiKey(secret))
        let token = try #require(SessionToken(text: String(Self.text.suffix(43))))
        #expect(
            CallerCredential.parse(authorization: "bearer \(token.text)") == .session(token))
    }

    @Test func `It lives until it expires or is revoked`() throws {
        var key = try key(expiresAt: Self.now.adding(milliseconds: 10))
        #expect(key.refusal(at: Self.now.adding(milliseconds: 9)) == nil)
        #expect(key.refusal(at: Self.now.adding(milliseconds: 10)) == APIKey.unknown)
        key.expiresAt = nil
        #expect(key.isLive(at: Self.now.adding(milliseconds: 10)))
        key.revokedAt = Self.now
        #expect(key.refusal(at: Self.now) == APIKey.unknown)
    }

    @Test func `It may use the models it names, or all if it names none`() throws {
        let fast = ModelName(rawValue: "fast")
        #expect(try key().refusal(of: fast) == nil)
        #expect(try key(models: ["fast"]).refusal(of: fast) == nil)
        #expect(try key(models: ["slow"]).refusal(of: fast)?.code == .modelNotPermitted)
    }

    @Test func `Its rate holds within a minute and tells how long to wait`() throws {
        var key = try key(rate: 2)
        for second in 0..<2 as Range<Int64> {
            let moment = Self.now.adding(milliseconds: second * 1_000)
            #expect(key.refusal(at: moment) == nil)
            key = key.used(at: moment)
        }
        let refusal = key.refusal(at: Self.now.adding(milliseconds: 2_000))
        #expect(refusal?.code == .rateLimited)
        #expect(refusal?.retryAfterMilliseconds == 58_000)
        #expect(key.refusal(at: Self.now.adding(milliseconds: 60_000)) == nil)
        #expect(key.lastUsedAt == Self.now.adding(milliseconds: 1_000))
    }

    @Test func `What is left of its cap counts what is held`() throws {
        var key = try key(cap: 100)
        key.spent = Credits(micro: 30)
        key.held = Credits(micro: 50)
        #expect(key.left == Credits(micro: 20))
        #expect(try self.key().left == nil)
    }
}
