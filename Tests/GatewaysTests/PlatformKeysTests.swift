import Cryptography
import Foundation
import Orders
import Synchronization
import Testing
import TollgateKernel

@testable import Gateways

/// WeChat Pay's certificates as it exchanges them, over a server that signs as it does, or not.
@Suite(.timeLimit(.minutes(1)))
struct PlatformKeysTests {
    /// One certificate with its key.
    struct Platform: Sendable {
        let key: RSAPrivateKey
        let certificate: Certificate

        init(_ key: RSAPrivateKey, serial: UInt8, from: Int64 = -1_000, until: Int64 = 1_000_000)
            throws
        {
            self.key = key
            certificate = try Certificate.selfSigned(
                by: key, commonName: "Platform", serial: [0x5e, 0xab, serial],
                notBefore: WeChatPayWorld.now.adding(milliseconds: from * 1_000),
                notAfter: WeChatPayWorld.now.adding(milliseconds: until * 1_000))
        }
    }

    private let world: WeChatPayWorld
    private let clock = MovableClock()

    init() throws { world = try WeChatPayWorld.make() }

    /// The list of certificates, sealed under a key.
    private static func list(
        _ platforms: [Platform], key: [UInt8] = WeChatPayWorld.apiV3Key, serial: String? = nil
    ) throws -> [UInt8] {
        let entries = try platforms.map { platform in
            let sealed = try AES256GCM.seal(
                Array(platform.certificate.pem.utf8), key: key, nonce: Array("abcdefghijkl".utf8),
                associatedData: Array("certificate".utf8))
            return """
                {"serial_no":"\(serial ?? platform.certificate.serialNumber)",\
                "effective_time":"2025-01-01T00:00:00+08:00",\
                "expire_time":"2030-01-01T00:00:00+08:00",\
                "encrypt_certificate":{"algorithm":"AEAD_AES_256_GCM","nonce":"abcdefghijkl",\
                "associated_data":"certificate","ciphertext":"\(Base64.encode(sealed))"}}
                """
        }
        return Array("{\"data\":[\(entries.joined(separator: ","))]}".utf8)
    }

    /// Lends keys over a server that answers like this; nil closes the connection.
    private func withKeys(
        fixed: [String: RSAPublicKey] = [:],
        _ answer:
            @escaping @Sendable (RawRequest) throws -> (
                status: Int, body: [UInt8], signer: Platform
            )?,
        _ body: (PlatformKeys, _ asked: @Sendable () -> Int) async throws -> Void
    ) async throws {
        let (world, clock) = (world, clock)
        let asked = Counter()
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                asked.add()
                guard let (status, body, signer) = try? answer(request),
                    let fields = try? world.headers(
                        signing: body, seconds: clock.now().seconds,
                        serial: signer.certificate.serialNumber, key: signer.key)
                else { return }
                let lines = fields.map { "\($0.name): \($0.value)\r\n" }.joined()
                connection.send(
                    "HTTP/1.1 \(status) X\r\nContent-Length: \(body.count)\r\n\(lines)\r\n")
                connection.send(body)
            }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            var configuration = world.configuration(baseURL: server.url)
            configuration.platformKeys = fixed
            try await body(
                PlatformKeys(
                    configuration: configuration, transfers: transfers, clock: clock,
                    random: SystemRandom()), { asked.value })
        }
    }

    @Test
    func `the first list is believed by a certificate inside it, and fetched once for all`()
        async throws
    {
        let platform = try Platform(world.platformKey, serial: 1)
        let serial = platform.certificate.serialNumber
        try await withKeys { request in
            #expect(request.line == "GET /v3/certificates HTTP/1.1")
            #expect(request.header("authorization")?.contains("mchid=\"1900000001\"") == true)
            return (200, try Self.list([platform]), platform)
        } _: { keys, asked in
            #expect(keys.keys(at: clock.now()).isEmpty)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await keys.keys(for: serial, at: WeChatPayWorld.now)[serial] != nil
                    }
                }
                for try await found in group { #expect(found) }
            }
            #expect(asked() == 1)
            #expect(Set(keys.keys(at: clock.now()).keys) == [serial])
        }
    }

    @Test
    func `a caller who leaves while it fetches takes nobody's answer away`() async throws {
        let platform = try Platform(world.platformKey, serial: 1)
        let serial = platform.certificate.serialNumber
        let (arrived, mayAnswer) = (Counter(), Counter())
        try await withKeys { _ in
            arrived.add()
            while mayAnswer.value == 0 { usleep(1_000) }
            return (200, try Self.list([platform]), platform)
        } _: { keys, _ in
            await withThrowingTaskGroup(of: Void.self) { leaving in
                leaving.addTask { _ = try await keys.keys(for: serial, at: WeChatPayWorld.now) }
                _ = try? await eventually { arrived.value > 0 ? true : nil }
                leaving.cancelAll()
                await #expect(throws: (any Error).self) { try await leaving.next() }
            }
            mayAnswer.add()
            let known = try await keys.keys(for: serial, at: clock.now())
            #expect(known[serial] != nil)
        }
    }

    @Test
    func `a forged serial costs one fetch a cool-down, and stays unknown`() async throws {
        let platform = try Platform(world.platformKey, serial: 1)
        try await withKeys { _ in
            (200, try Self.list([platform]), platform)
        } _: { keys, asked in
            for number in 10..<60 {
                let forged = "ABCDEF\(number)"
                #expect(try await keys.keys(for: forged, at: clock.now())[forged] == nil)
            }
            #expect(asked() == 1)
            clock.advance(seconds: 61)
            for number in 10..<60 {
                _ = try await keys.keys(for: "ABCDEF\(number)", at: clock.now())
            }
            #expect(asked() == 2)
            // No certificate has such a serial: not worth a fetch at any time.
            clock.advance(seconds: 61)
            for serial in ["PUB_KEY_ID_0000", "abcdef", "", String(repeating: "A", count: 41)] {
                _ = try await keys.keys(for: serial, at: clock.now())
            }
            _ = try await keys.keys(for: nil, at: clock.now())
            #expect(asked() == 2)
        }
    }

    @Test
    func
        `a new certificate is fetched when first named, and the old one counts until its end`()
        async throws
    {
        let old = try Platform(world.platformKey, serial: 1, until: 5_000)
        let new = try Platform(world.strangerKey, serial: 2)
        let isAnnounced = Mutex(false)
        try await withKeys { _ in
            let announced = isAnnounced.withLock { $0 }
            return (200, try Self.list(announced ? [old, new] : [old]), old)
        } _: { keys, asked in
            let (oldSerial, newSerial) = (
                old.certificate.serialNumber, new.certificate.serialNumber
            )
            _ = try await keys.keys(for: oldSerial, at: clock.now())
            clock.advance(seconds: 600)
            isAnnounced.withLock { $0 = true }
            let both = try await keys.keys(for: newSerial, at: clock.now())
            #expect(Set(both.keys) == [oldSerial, newSerial])
            #expect(asked() == 2)
            clock.advance(seconds: 5_000)
            #expect(Set(keys.keys(at: clock.now()).keys) == [newSerial])
        }
    }

    @Test
    func `half a day later the list is fetched again, and a failure keeps what is known`()
        async throws
    {
        let platform = try Platform(world.platformKey, serial: 1)
        let serial = platform.certificate.serialNumber
        let isDown = Mutex(false)
        try await withKeys { _ in
            guard !isDown.withLock({ $0 }) else { return nil }
            return (200, try Self.list([platform]), platform)
        } _: { keys, asked in
            _ = try await keys.keys(for: serial, at: clock.now())
            clock.advance(seconds: 12 * 3_600 - 1)
            _ = try await keys.keys(for: serial, at: clock.now())
            #expect(asked() == 1)
            isDown.withLock { $0 = true }
            clock.advance(seconds: 2)
            #expect(try await keys.keys(for: serial, at: clock.now())[serial] != nil)
            let after = asked()
            #expect(after > 1)
            // An unknown serial cannot be judged while the list cannot be had.
            clock.advance(seconds: 3)
            let failure = await #expect(throws: PaymentGatewayFailure.self) {
                try await keys.keys(for: "ABCDEF", at: clock.now())
            }
            #expect(failure?.kind == .unknownOutcome)
            isDown.withLock { $0 = false }
            clock.advance(seconds: 3)
            #expect(try await keys.keys(for: "ABCDEF", at: clock.now())[serial] != nil)
        }
    }

    @Test
    func `a list that another signed, sealed or numbered is not believed`() async throws {
        let platform = try Platform(world.platformKey, serial: 1)
        let stranger = try Platform(world.strangerKey, serial: 1)
        let expired = try Platform(world.platformKey, serial: 3, until: -10)
        let serial = platform.certificate.serialNumber
        let otherKey = Array("fedcba9876543210fedcba9876543210".utf8)
        let lists: [(body: [UInt8], signer: Platform)] = [
            (try Self.list([platform]), stranger),
            (try Self.list([platform], key: otherKey), platform),
            (try Self.list([platform], serial: "5EABCE"), platform),
            (try Self.list([expired]), expired),
            (Array(#"{"data":[]}"#.utf8), platform), (Array(#"{"data":{}}"#.utf8), platform),
            (Array("[]".utf8), platform), (Array("not JSON".utf8), platform), ([], platform),
        ]
        for (body, signer) in lists {
            try await withKeys { _ in
                (200, body, signer)
            } _: { keys, asked in
                await #expect(throws: PaymentGatewayFailure.self) {
                    try await keys.keys(for: serial, at: clock.now())
                }
                #expect(asked() == 1)
                #expect(keys.keys(at: clock.now()).isEmpty)
            }
        }
    }

    @Test
    func `in public-key mode the configured key counts and nothing is fetched for it`()
        async throws
    {
        let platform = try Platform(world.platformKey, serial: 1)
        let fixed = ["PUB_KEY_ID_01": world.platformKey.publicKey]
        try await withKeys(fixed: fixed) { _ in
            (404, Array(#"{"code":"NOT_FOUND","message":"x"}"#.utf8), platform)
        } _: { keys, asked in
            let known = try await keys.keys(for: "PUB_KEY_ID_01", at: clock.now())
            #expect(known.count == 1)
            #expect(asked() == 0)
            await #expect(throws: PaymentGatewayFailure.self) {
                try await keys.keys(for: "ABCDEF", at: clock.now())
            }
            #expect(keys.keys(at: clock.now()).count == 1)
        }
    }

    @Test
    func `a notification under a new certificate is believed once it was fetched`() async throws {
        let platform = try Platform(world.platformKey, serial: 1)
        let body = try WeChatPayWorld.envelope(WeChatPayWorld.trade)
        let raw = RawPaymentNotification(
            headers: try world.headers(
                signing: body, serial: platform.certificate.serialNumber), body: body)
        try await withKeys { _ in
            (200, try Self.list([platform]), platform)
        } _: { keys, asked in
            let verifier = WeChatPayNotificationVerifier(
                configuration: world.configuration(), keys: keys)
            let before = #expect(throws: Failure.self) {
                try verifier.verify(raw, now: clock.now())
            }
            #expect(before?.code == .unauthenticated)
            await verifier.prepare(for: raw, now: clock.now())
            let verified = try verifier.verify(raw, now: clock.now())
            #expect(verified.notificationID == "EV-1")
            #expect(asked() == 1)
        }
    }
}
