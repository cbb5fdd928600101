import Application
import Testing
import TollgateClient
import TollgateKernel
import Weixin

/// What the official account's server would send, signed and, in aes mode, sealed.
struct Pushes {
    let mode: OfficialAccountIdentity.Mode
    var seconds: Int64
    private let cipher: MessageCipher

    static func account(_ mode: OfficialAccountIdentity.Mode) -> OfficialAccountIdentity {
        OfficialAccountIdentity(
            appID: "wx0000000000000001", originalID: "gh_tollgate", token: "callback-token",
            encodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", mode: mode)
    }

    init(_ account: OfficialAccountIdentity, at now: Timestamp) throws {
        mode = account.mode
        seconds = now.seconds
        cipher = try MessageCipher(encodingAESKey: account.encodingAESKey, appID: account.appID)
    }

    private var token: String { Self.account(mode).token }

    /// The signed part of a callback's query.
    func query(nonce: String, sealed: String? = nil, token: String? = nil) throws -> String {
        let token = token ?? self.token
        let signature = try CallbackSignature.make(
            token: token, timestamp: String(seconds), nonce: nonce)
        let plain = "signature=\(signature)&timestamp=\(seconds)&nonce=\(nonce)&openid=o_ann"
        guard let sealed else { return plain }
        let sealedSignature = try CallbackSignature.make(
            token: token, timestamp: String(seconds), nonce: nonce, sealed: sealed)
        return plain + "&encrypt_type=aes&msg_signature=\(sealedSignature)"
    }

    /// The push of a text that a person sends.
    func text(
        _ text: String, from openID: String = "o_ann", id: Int64 = 1, token: String? = nil
    ) throws -> V1.ReceiveCallbackRequest {
        let xml = """
            <xml><ToUserName><![CDATA[gh_tollgate]]></ToUserName>\
            <FromUserName><![CDATA[\(openID)]]></FromUserName><CreateTime>\(seconds)</CreateTime>\
            <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[\(text)]]></Content>\
            <MsgId>\(id)</MsgId></xml>
            """
        return try request(xml, id: id, token: token)
    }

    /// The push of something a person did, such as scanning; `id` tells signatures apart.
    func event(
        _ name: String, key: String = "", from openID: String = "o_ann", id: Int64
    ) throws -> V1.ReceiveCallbackRequest {
        let xml = """
            <xml><ToUserName><![CDATA[gh_tollgate]]></ToUserName>\
            <FromUserName><![CDATA[\(openID)]]></FromUserName><CreateTime>\(seconds)</CreateTime>\
            <MsgType><![CDATA[event]]></MsgType><Event><![CDATA[\(name)]]></Event>\
            <EventKey><![CDATA[\(key)]]></EventKey></xml>
            """
        return try request(xml, id: id)
    }

    private func request(
        _ xml: String, id: Int64, token: String? = nil
    ) throws -> V1.ReceiveCallbackRequest {
        guard mode == .aes else {
            return V1.ReceiveCallbackRequest(
                httpMethod: "POST", query: try query(nonce: "n\(id)", token: token),
                body: Array(xml.utf8))
        }
        let sealed = try cipher.seal(
            Array(xml.utf8), random: [UInt8](repeating: UInt8(id & 0xff), count: 16))
        let body = """
            <xml><ToUserName><![CDATA[gh_tollgate]]></ToUserName>\
            <Encrypt><![CDATA[\(sealed)]]></Encrypt></xml>
            """
        return V1.ReceiveCallbackRequest(
            httpMethod: "POST", query: try query(nonce: "n\(id)", sealed: sealed, token: token),
            body: Array(body.utf8))
    }

    /// What the person sees of an answer.
    func shown(_ response: V1.ReceiveCallbackResponse) throws -> PushMessage {
        let message = try PushMessage(xml: response.body)
        guard mode == .aes else { return message }
        let sealed = try #require(message.sealed)
        let fields = message.fields
        #expect(
            CallbackSignature.isValid(
                fields["MsgSignature"] ?? "", token: token, timestamp: fields["TimeStamp"] ?? "",
                nonce: fields["Nonce"] ?? "", sealed: sealed))
        return try PushMessage(xml: cipher.open(sealed))
    }

    /// The login code in a text.
    static func code(in text: String) -> String? {
        text.split { !$0.isASCII || !($0.isLetter || $0.isNumber || $0 == "-") }
            .map(String.init)
            .first { $0.count == 9 && $0.dropFirst(4).first == "-" }
    }
}
