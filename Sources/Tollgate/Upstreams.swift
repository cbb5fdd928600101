import Application
import Chat
import Cryptography
import Foundation
import Gateways
import Sandbox
import TollgateKernel

/// The world outside as settings name it: WeChat Pay, the official account, the providers.
struct Upstreams: Sendable {
    /// Sandbox or live.
    var realm: StoreRealm
    /// WeChat Pay.
    var wechatPay: WeChatPayConfiguration
    /// The official account, for sending.
    var officialAccount: OfficialAccountConfiguration
    /// The official account, for receiving.
    var identity: OfficialAccountIdentity
    /// The template that tells of arrived credits.
    var creditsArrivedTemplate: String
    /// What a new store offers; nil in the live realm, where the operator says.
    var seed: CatalogueSeed?

    /// Reads the settings; the sandbox's come from its own keys in the data folder.
    static func read(_ settings: Settings) throws -> Upstreams {
        let name = settings.text("realm") ?? StoreRealm.sandbox.rawValue
        guard let realm = StoreRealm(rawValue: name) else {
            throw Failure(.invalidRequest, "The setting realm is sandbox or live, not “\(name)”.")
        }
        return realm == .sandbox ? try sandbox(settings) : try live(settings)
    }

    // MARK: - Sandbox

    private static func sandbox(_ settings: Settings) throws -> Upstreams {
        let keys = try SandboxKeysFile.read(settings.folder).tollgate
        let address = try settings.address(
            "sandbox.address", default: Address(host: "127.0.0.1", port: 7_490))
        let base = "http://\(address)"
        let web = try settings.address(
            "web.address", default: Address(host: "127.0.0.1", port: 7_480))
        return Upstreams(
            realm: .sandbox,
            wechatPay: WeChatPayConfiguration(
                baseURL: base, merchantID: keys.merchantID, appID: keys.appID,
                merchantCertificateSerial: keys.merchantSerial,
                merchantKey: try RSAPrivateKey(pem: keys.merchantPrivateKeyPEM),
                apiV3Key: Array(keys.apiV3Key.utf8),
                // Certificate mode: the sandbox's certificate is fetched, as WeChat Pay's are.
                platformKeys: [:], notifyURL: "http://\(web)/callback/wechatpay"),
            officialAccount: OfficialAccountConfiguration(
                baseURL: base, appID: keys.appID, appSecret: keys.appSecret),
            identity: OfficialAccountIdentity(
                appID: keys.appID, originalID: keys.originalID, token: keys.token,
                encodingAESKey: keys.encodingAESKey, mode: try mode(settings)),
            creditsArrivedTemplate: "credits-arrived",
            seed: CatalogueSeed.sandbox(base: base, keys: keys.modelKeys))
    }

    private static func mode(_ settings: Settings) throws -> OfficialAccountIdentity.Mode {
        let name = settings.text("weixin.mode") ?? "aes"
        guard let mode = OfficialAccountIdentity.Mode(rawValue: name) else {
            throw Failure(
                .invalidRequest, "The setting weixin.mode is aes or plain, not “\(name)”.")
        }
        return mode
    }

    // MARK: - Live

    private static func live(_ settings: Settings) throws -> Upstreams {
        func needed(_ key: String) throws -> String {
            guard let value = settings.secret(key), !value.isEmpty else {
                throw Failure(
                    .invalidRequest,
                    "The live realm needs the setting \(key); put it into "
                        + "\(settings.folder.settingsPath) or the environment.")
            }
            return value
        }
        func file(_ key: String) throws -> String {
            let path = try needed(key)
            do {
                return try String(contentsOfFile: path, encoding: .utf8)
            } catch {
                throw Failure(.invalidRequest, "The file of the setting \(key) cannot be read.")
            }
        }
        let appID = try needed("weixin.appID")
        let apiV3Key = try apiV3Key(needed("wechatPay.apiV3Key"))
        let notifyURL = try notifyURL(needed("wechatPay.notifyURL"))
        return Upstreams(
            realm: .live,
            wechatPay: WeChatPayConfiguration(
                baseURL: settings.text("wechatPay.baseURL") ?? "https://api.mch.weixin.qq.com",
                merchantID: try needed("wechatPay.merchantID"), appID: appID,
                merchantCertificateSerial: try needed("wechatPay.merchantSerial"),
                merchantKey: try RSAPrivateKey(
                    pem: file("wechatPay.merchantPrivateKeyFile")),
                apiV3Key: apiV3Key,
                platformKeys: try platformKeys(settings, file: file),
                answerKeySerial: settings.text("wechatPay.platformSerial").flatMap {
                    $0.hasPrefix("PUB_KEY_ID_") ? $0 : nil
                }, notifyURL: notifyURL),
            officialAccount: OfficialAccountConfiguration(
                baseURL: settings.text("weixin.baseURL") ?? "https://api.weixin.qq.com",
                appID: appID, appSecret: try needed("weixin.appSecret")),
            identity: OfficialAccountIdentity(
                appID: appID, originalID: try needed("weixin.originalID"),
                token: try needed("weixin.token"),
                encodingAESKey: try needed("weixin.encodingAESKey"),
                previousEncodingAESKey: settings.secret("weixin.previousEncodingAESKey"),
                mode: try mode(settings)),
            creditsArrivedTemplate: try needed("weixin.creditsArrivedTemplate"), seed: nil)
    }
}

extension Upstreams {
    /// The APIv3 key: with another length no notification opens (payments reference, 1.6).
    private static func apiV3Key(_ text: String) throws -> [UInt8] {
        guard text.utf8.count == 32 else {
            throw Failure(
                .invalidRequest,
                "The setting wechatPay.apiV3Key has 32 characters, not \(text.utf8.count).")
        }
        return Array(text.utf8)
    }

    /// Where WeChat Pay sends notifications: it refuses orders with any other address (payments
    /// reference, 1.2).
    private static func notifyURL(_ text: String) throws -> String {
        guard text.hasPrefix("https://"), !text.contains("?"), text.utf8.count <= 255 else {
            throw Failure(
                .invalidRequest,
                "The setting wechatPay.notifyURL begins with https://, has no “?”, and is at most "
                    + "255 bytes long.")
        }
        return text
    }

    /// The key of public-key mode, if the settings name one: a merchant in certificate mode needs
    /// none, its certificates are fetched.
    private static func platformKeys(
        _ settings: Settings, file: (String) throws -> String
    ) throws -> [String: RSAPublicKey] {
        guard let serial = settings.text("wechatPay.platformSerial"), !serial.isEmpty else {
            return [:]
        }
        return [serial: try RSAPublicKey(pem: file("wechatPay.platformKeyFile"))]
    }
}

/// Both sides' keys of the sandbox, made once in the data folder.
enum SandboxKeysFile {
    /// Reads the keys, or makes them.
    static func read(_ folder: DataFolder) throws -> SandboxKeys {
        let text = try folder.text(at: "\(folder.path)/keys/sandbox.json") {
            String(
                decoding: try JSONEncoder().encode(try SandboxKeys.generate()), as: UTF8.self)
        }
        do {
            return try JSONDecoder().decode(SandboxKeys.self, from: Data(text.utf8))
        } catch {
            throw Failure(
                .internalError,
                "\(folder.path)/keys/sandbox.json is damaged; restore it from a backup.")
        }
    }
}
