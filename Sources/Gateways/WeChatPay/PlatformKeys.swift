package import Cryptography
internal import Logging
internal import Metrics
internal import Orders
package import TollgateKernel

/// The keys WeChat Pay signs with: those of the configuration, and certificates fetched as WeChat
/// Pay exchanges them (payments reference, section 1.7).
///
/// A certificate is fetched when a message names a serial that is not known, and again when the
/// last fetch is half a day old; all unexpired ones count. Forged serials cost one fetch a
/// cool-down, however many are sent. A fetch that fails leaves what was known as it is, and is
/// tried again soon.
package final class PlatformKeys: Sendable {
    /// A fetched certificate's key.
    struct Known: Sendable {
        var key: RSAPublicKey
        var notBefore: Timestamp
        var notAfter: Timestamp
    }

    /// What the last fetch left.
    private struct Fetched: Sendable {
        var keys: [String: Known]
        var attemptedAt: Timestamp
        var succeeded: Bool

        func age(at now: Timestamp) -> Int64 { abs(now.milliseconds - attemptedAt.milliseconds) }
    }

    private let fixed: [String: RSAPublicKey]
    private let caller: WeChatPayCaller?
    private let fetched = SharedFetch<Fetched>()
    private let logger = Logger(label: "tollgate.wechatpay")

    /// Makes the keys of a configuration; nothing is fetched yet.
    package init(
        configuration: WeChatPayConfiguration, transfers: HTTPTransfers, clock: any WallClock,
        random: any RandomSource
    ) {
        fixed = configuration.platformKeys
        caller = WeChatPayCaller(
            configuration: configuration, transfers: transfers, clock: clock, random: random)
    }

    /// Makes keys that never change: public-key mode alone.
    package init(fixed: [String: RSAPublicKey]) {
        self.fixed = fixed
        caller = nil
    }

    /// The keys that count now, by serial.
    func keys(at now: Timestamp) -> [String: RSAPublicKey] {
        let known = (fetched.present?.keys ?? [:]).filter {
            $0.value.notBefore <= now && now <= $0.value.notAfter
        }
        return known.mapValues(\.key).merging(fixed) { _, own in own }
    }

    /// The keys to check a message with that names `serial`; fetches certificates if need be.
    ///
    /// - Throws: ``PaymentGatewayFailure`` with `.unknownOutcome` if the serial is not known and
    ///   nobody can say whether it should be, because the certificates could not be fetched;
    ///   `CancellationError`.
    func keys(for serial: String?, at now: Timestamp) async throws -> [String: RSAPublicKey] {
        guard let serial, let caller, fixed[serial] == nil, Self.isCertificateSerial(serial) else {
            return keys(at: now)
        }
        let last = try await fetched.value { fetched in
            guard fetched.succeeded else {
                return fetched.age(at: now) < Limits.platformKeysRetryMilliseconds
            }
            let isFresh = fetched.age(at: now) < Limits.platformKeysRefreshMilliseconds
            return isFresh && fetched.keys[serial] != nil
                || fetched.age(at: now) < Limits.platformKeysCoolDownMilliseconds
        } fetch: {
            try await fetch(by: caller, now)
        }
        let keys = keys(at: now)
        guard last.succeeded || keys[serial] != nil else {
            throw PaymentGatewayFailure(
                .unknownOutcome, message: "The certificate of an answer cannot be fetched just now")
        }
        return keys
    }

    private func fetch(by caller: WeChatPayCaller, _ now: Timestamp) async throws -> Fetched {
        do {
            let keys = try await certificates(by: caller, now)
            count("fetched")
            return Fetched(keys: keys, attemptedAt: now, succeeded: true)
        } catch {
            // A caller who left has found out nothing: the next one fetches in its place.
            try Task.checkCancellation()
            count("failed")
            logger.warning(
                "WeChat Pay's certificates could not be fetched", metadata: ["error": "\(error)"])
            return Fetched(
                keys: fetched.present?.keys ?? [:], attemptedAt: now, succeeded: false)
        }
    }

    private func count(_ outcome: String) {
        Counter(
            label: "tollgate_wechatpay_certificate_fetches_total",
            dimensions: [("outcome", outcome)]
        ).increment()
    }

    // MARK: The download

    private func certificates(
        by caller: WeChatPayCaller, _ now: Timestamp
    ) async throws -> [String: Known] {
        let answer = try await caller.send(.get, "/v3/certificates")
        guard answer.head.status == 200 else {
            throw WeChatPayErrors.failure(status: answer.head.status, body: answer.body)
        }
        let apiV3Key = caller.configuration.apiV3Key
        let held = keys(at: now)
        return try await awayFromEventLoops {
            let found = try Self.certificates(in: answer.body, apiV3Key: apiV3Key)
            // The first answer is signed by one of the certificates inside: what opened with the
            // APIv3 key comes from WeChat Pay.
            let candidates = found.filter { $0.value.notBefore <= now && now <= $0.value.notAfter }
                .mapValues(\.key).merging(held) { _, held in held }
            try WeChatPaySignature.verify(
                body: answer.body, keys: candidates, now: now, values: answer.head.values)
            return found
        }
    }

    /// The certificates of an answer's `data`, decrypted; none that does not open is passed over.
    private static func certificates(in body: [UInt8], apiV3Key: [UInt8]) throws
        -> [String: Known]
    {
        guard let entries = try JSONValue(parsing: body)["data"]?.elements,
            (1...Limits.platformCertificates).contains(entries.count)
        else { throw misshapen }
        var keys: [String: Known] = [:]
        for entry in entries {
            guard let sealed = entry["encrypt_certificate"],
                sealed["algorithm"]?.text == "AEAD_AES_256_GCM",
                let nonce = sealed["nonce"]?.text,
                let ciphertext = sealed["ciphertext"]?.text.flatMap({ Base64.decode($0) })
            else { throw misshapen }
            let associatedData = sealed["associated_data"]?.text ?? ""
            let pem = try AES256GCM.open(
                ciphertext, key: apiV3Key, nonce: Array(nonce.utf8),
                associatedData: Array(associatedData.utf8))
            let certificate = try Certificate(pem: String(decoding: pem, as: UTF8.self))
            guard entry["serial_no"]?.text == certificate.serialNumber else { throw misshapen }
            keys[certificate.serialNumber] = Known(
                key: certificate.publicKey, notBefore: certificate.notBefore,
                notAfter: certificate.notAfter)
        }
        return keys
    }

    private static let misshapen = PaymentGatewayFailure(
        .unknownOutcome, message: "The list of certificates is not one")

    /// Whether a serial can be a certificate's: upper-case hexadecimal, at most 20 bytes.
    private static func isCertificateSerial(_ serial: String) -> Bool {
        (1...40).contains(serial.utf8.count)
            && serial.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }
    }
}
