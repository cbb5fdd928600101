package import Cryptography

/// Who we are at WeChat Pay, and whom we believe (payments reference, section 1.1).
///
/// Holds secrets: it prints as its merchant and addresses alone.
package struct WeChatPayConfiguration: Sendable, CustomStringConvertible,
    CustomDebugStringConvertible
{
    /// Such as `https://api.mch.weixin.qq.com`, without a slash at its end.
    package var baseURL: String
    /// The merchant's number.
    package var merchantID: String
    /// The official account the trades are made for.
    package var appID: String
    /// The serial of the merchant's certificate, in upper-case hexadecimal.
    package var merchantCertificateSerial: String
    /// Signs our requests.
    package var merchantKey: RSAPrivateKey
    /// The 32 bytes that open notifications.
    package var apiV3Key: [UInt8]
    /// The keys WeChat Pay signs with, by the serial it names them by: certificate serials in
    /// upper-case hexadecimal, and `PUB_KEY_ID_…`.
    package var platformKeys: [String: RSAPublicKey]
    /// In public-key mode, the `PUB_KEY_ID_…` answers are asked to be signed with.
    package var answerKeySerial: String?
    /// Where notifications are to be sent: at most 255 characters, no query.
    package var notifyURL: String
    /// How long one call may take.
    package var timeouts: TransferTimeouts

    /// Makes a configuration.
    package init(
        baseURL: String, merchantID: String, appID: String, merchantCertificateSerial: String,
        merchantKey: RSAPrivateKey, apiV3Key: [UInt8], platformKeys: [String: RSAPublicKey],
        answerKeySerial: String? = nil, notifyURL: String,
        timeouts: TransferTimeouts = TransferTimeouts()
    ) {
        self.baseURL = baseURL
        self.merchantID = merchantID
        self.appID = appID
        self.merchantCertificateSerial = merchantCertificateSerial
        self.merchantKey = merchantKey
        self.apiV3Key = apiV3Key
        self.platformKeys = platformKeys
        self.answerKeySerial = answerKeySerial
        self.notifyURL = notifyURL
        self.timeouts = timeouts
    }

    package var description: String { "WeChatPayConfiguration(\(merchantID) at \(baseURL))" }
    package var debugDescription: String { description }
}
