internal import Cryptography
package import Orders
package import TollgateKernel

/// Believes notifications of WeChat Pay, or does not (payments reference, section 1.6).
///
/// The order of checks is fixed: size, fields, freshness, serial, signature, JSON, encryption,
/// appid and merchant. Nothing of the body is looked at before its signature is right.
package struct WeChatPayNotificationVerifier: PaymentNotificationVerifier {
    private let configuration: WeChatPayConfiguration
    private let keys: PlatformKeys

    /// Makes a verifier that believes notifications signed with these keys.
    package init(configuration: WeChatPayConfiguration, keys: PlatformKeys) {
        self.configuration = configuration
        self.keys = keys
    }

    package func prepare(for raw: RawPaymentNotification, now: Timestamp) async {
        guard raw.body.count <= Limits.paymentNotificationBytes else { return }
        let serials = Self.values("wechatpay-serial", of: raw)
        guard serials.count == 1 else { return }
        // Cancelled or not fetched: the serial stays unknown, and the notification is refused.
        _ = try? await keys.keys(for: serials[0], at: now)
    }

    package func verify(_ raw: RawPaymentNotification, now: Timestamp) throws(Failure)
        -> VerifiedPaymentNotification
    {
        guard (1...Limits.paymentNotificationBytes).contains(raw.body.count) else {
            throw Failure(.invalidRequest, "A notification has 1 byte to 64 KiB.")
        }
        do {
            try WeChatPaySignature.verify(
                body: raw.body, keys: keys.keys(at: now), now: now,
                values: { name in Self.values(name, of: raw) })
        } catch {
            throw Failure(.unauthenticated, "The notification's signature was refused: \(error).")
        }
        let envelope = try Self.json(raw.body)
        let trade = try open(envelope)
        guard trade.appID == configuration.appID, trade.merchantID == configuration.merchantID
        else {
            throw Failure(.forbidden, "The notification is for another appid or merchant.")
        }
        guard let id = envelope["id"]?.text, (1...64).contains(id.utf8.count),
            let eventType = envelope["event_type"]?.text
        else { throw Self.misshapen }
        return VerifiedPaymentNotification(
            notificationID: id, eventType: eventType, trade: trade)
    }

    /// The values of every header field of that name, given in lower case.
    private static func values(_ name: String, of raw: RawPaymentNotification) -> [String] {
        raw.headers.filter { $0.name.lowercased() == name }.map(\.value)
    }

    /// Decrypts the trade inside.
    private func open(_ envelope: JSONValue) throws(Failure) -> RemoteTrade {
        guard envelope["resource_type"]?.text == "encrypt-resource",
            envelope["event_type"]?.text?.hasPrefix("TRANSACTION.") == true,
            let resource = envelope["resource"],
            resource["original_type"]?.text == "transaction",
            resource["algorithm"]?.text == "AEAD_AES_256_GCM",
            let sealed = resource["ciphertext"]?.text.flatMap({ Base64.decode($0) }),
            let nonce = resource["nonce"]?.text,
            let associatedData = Self.optionalText(resource["associated_data"])
        else { throw Self.misshapen }
        let plaintext: [UInt8]
        do {
            plaintext = try AES256GCM.open(
                sealed, key: configuration.apiV3Key, nonce: Array(nonce.utf8),
                associatedData: Array(associatedData.utf8))
        } catch {
            throw Failure(.unauthenticated, "The notification does not open with our key.")
        }
        guard let trade = RemoteTrade(try Self.json(plaintext)) else { throw Self.misshapen }
        return trade
    }

    private static let misshapen = Failure(
        .invalidRequest, "The notification is not one of a payment.")

    private static func json(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        do {
            return try JSONValue(parsing: bytes)
        } catch {
            throw misshapen
        }
    }

    /// The text; empty if there is none; nil if it is something else than a text.
    private static func optionalText(_ value: JSONValue?) -> String? {
        guard let value, value != .null else { return "" }
        return value.text
    }
}
