import Foundation
import Testing
import TollgateKernel
import Weixin

@testable import Sandbox

/// wechatpy reads what we write to the official account's server and its followers, and we read
/// what it writes.
@Suite(.enabled(if: Judges.areInstalled, "SKIPPED: run Scripts/third-party-venv"))
struct WeixinJudgeTests {
    private static let token = "a-token"
    private static let key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
    private static let appID = "wx49f0ab532d5d035a"
    private static let openID = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0"
    private static let account = "gh_0123456789ab"
    private static let timestamp = "1700000000"
    private static let nonce = "486452656"

    /// Texts for every length of padding, and with characters that XML and CDATA escape.
    ///
    /// Not `]]>`: wechatpy itself writes that one wrongly.
    private static let texts =
        (1...33).map { String(repeating: "x", count: $0) } + ["登录 🔑 & <b>\"'</b>", "a\nb\tc", "]]"]

    private struct Operation: Encodable {
        var operation: String
        var mode: String
        var token = WeixinJudgeTests.token
        var key = WeixinJudgeTests.key
        var appID = WeixinJudgeTests.appID
        var timestamp = WeixinJudgeTests.timestamp
        var nonce = WeixinJudgeTests.nonce
        var from: String?
        var to: String?
        var text: String?
        var body: String?
        var signature: String?
        var messageSignature: String?
    }

    private struct Verdict: Decodable, Sendable {
        var type: String?
        var from: String?
        var to: String?
        var text: String?
        var event: String?
        var scene: String?
        var body: String?
        var signature: String?
        var error: String?
    }

    private func judge(_ operations: [Operation]) async throws -> [Verdict] {
        let verdicts = try await Judges.run(
            "weixin_judge.py", input: try JSONEncoder().encode(operations), as: [Verdict].self)
        try #require(verdicts.count == operations.count)
        return verdicts
    }

    private func cipher() throws -> MessageCipher {
        try MessageCipher(encodingAESKey: Self.key, appID: Self.appID)
    }

    private func isRight(_ signature: String?, sealed: String? = nil) throws -> Bool {
        CallbackSignature.isValid(
            try #require(signature), token: Self.token, timestamp: Self.timestamp,
            nonce: Self.nonce, sealed: sealed)
    }

    @Test(arguments: ["plain", "aes"]) func `we read what wechatpy writes`(mode: String)
        async throws
    {
        let operations = Self.texts.map {
            Operation(
                operation: "make", mode: mode, from: Self.openID, to: Self.account, text: $0)
        }
        for (verdict, text) in zip(try await judge(operations), Self.texts) {
            #expect(try isRight(verdict.signature))
            var push = try PushMessage(xml: Array(try #require(verdict.body).utf8))
            if mode == "aes" {
                let sealed = try #require(push.sealed)
                #expect(try isRight(push.fields["MsgSignature"], sealed: sealed))
                push = try PushMessage(xml: try cipher().open(sealed))
            }
            #expect(push.text == text)
            #expect(push.openID == Self.openID)
            #expect(push.officialAccount == Self.account)
            #expect(push.kind == "text")
        }
    }

    @Test func `wechatpy reads our plain replies`() async throws {
        let texts = Self.texts + ["a]]>b", "]]]]>>"]
        let signature = try CallbackSignature.make(
            token: Self.token, timestamp: Self.timestamp, nonce: Self.nonce)
        let operations = texts.map { text in
            Operation(
                operation: "read", mode: "plain",
                body: Weixin.PassiveReply.text(
                    text, to: Self.openID, from: Self.account, createdAtSeconds: 1_700_000_000),
                signature: signature)
        }
        for (verdict, text) in zip(try await judge(operations), texts) {
            #expect(verdict.error == nil)
            #expect(verdict.text == text)
            #expect(verdict.to == Self.openID)
            #expect(verdict.from == Self.account)
        }
    }

    @Test func `wechatpy opens our sealed replies and refuses a wrong signature`() async throws {
        let random = SystemRandom()
        var operations = try Self.texts.map { text in
            let clear = Weixin.PassiveReply.text(
                text, to: Self.openID, from: Self.account, createdAtSeconds: 1_700_000_000)
            let sealed = try cipher().seal(Array(clear.utf8), random: random.bytes(16))
            let signature = try CallbackSignature.make(
                token: Self.token, timestamp: Self.timestamp, nonce: Self.nonce, sealed: sealed)
            return Operation(
                operation: "read", mode: "aes",
                body: Weixin.PassiveReply.sealed(
                    sealed, signature: signature, timestamp: Self.timestamp, nonce: Self.nonce),
                messageSignature: signature)
        }
        var forged = operations[0]
        forged.messageSignature = operations[1].messageSignature
        operations.append(forged)
        let verdicts = try await judge(operations)
        for (verdict, text) in zip(verdicts, Self.texts) {
            #expect(verdict.error == nil)
            #expect(verdict.text == text)
        }
        #expect(verdicts.last?.error == "InvalidSignatureException")
    }

    @Test func `wechatpy reads the sandbox's pushes`() async throws {
        let sealing = try MessageSealing(
            token: Self.token, encodingAESKey: Self.key, appID: Self.appID, random: SystemRandom())
        let actions: [PhoneAction] = [
            .text("登录 ]]> <b>"), .subscribe(scene: nil), .subscribe(scene: "abc"),
            .scan(scene: "def"), .unsubscribe,
        ]
        var operations: [Operation] = []
        for action in actions {
            let push = Push(
                action: action, openID: Self.openID, originalID: Self.account,
                createdSeconds: 1_700_000_000, messageID: 42, ticket: "gQticket")
            let sealed = try sealing.seal(push.xml)
            operations.append(
                Operation(
                    operation: "read", mode: "plain", body: push.xml,
                    signature: try sealing.signature(Self.timestamp, Self.nonce)))
            operations.append(
                Operation(
                    operation: "read", mode: "aes",
                    body: FlatXML.document(FlatXML.text("Encrypt", sealed)),
                    messageSignature: try sealing.signature(Self.timestamp, Self.nonce, sealed)))
        }
        let verdicts = try await judge(operations)
        #expect(verdicts.allSatisfy { $0.error == nil && $0.from == Self.openID })
        #expect(verdicts[0].text == "登录 ]]> <b>" && verdicts[1].text == "登录 ]]> <b>")
        #expect(
            verdicts.dropFirst(2).map(\.event) == [
                "subscribe", "subscribe", "subscribe_scan", "subscribe_scan", "scan", "scan",
                "unsubscribe", "unsubscribe",
            ])
        #expect(verdicts[4].scene == "abc" && verdicts[7].scene == "def")
    }
}
