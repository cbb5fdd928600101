import Cryptography
import Testing
import TollgateKernel

@testable import Sandbox

/// The account's server for tests, made of the interface's own description.
private struct AccountServer: Sendable {
    let keys: SandboxKeys.TollgateHalf

    func sealing() throws -> MessageSealing {
        try MessageSealing(
            token: keys.token, encodingAESKey: keys.encodingAESKey, appID: keys.appID,
            random: SystemRandom())
    }

    /// The message in clear; fails the test if a signature is wrong.
    func message(_ received: Receiver.Received) throws -> [String: String] {
        let sealing = try sealing()
        let (timestamp, nonce) = (received.query("timestamp"), received.query("nonce"))
        #expect(try received.query("signature") == sealing.signature(timestamp, nonce))
        let outer = try #require(FlatXML.parse(received.text))
        guard received.query("encrypt_type") == "aes" else { return outer }
        let sealed = try #require(outer["Encrypt"])
        let signature = try sealing.signature(timestamp, nonce, sealed)
        #expect(received.query("msg_signature") == signature)
        return try #require(FlatXML.parse(try sealing.open(sealed)))
    }

    /// A passive text.
    func reply(_ text: String, to message: [String: String]) -> String {
        FlatXML.document(
            FlatXML.text("ToUserName", message["FromUserName"] ?? ""),
            FlatXML.text("FromUserName", message["ToUserName"] ?? ""),
            FlatXML.number("CreateTime", 1_700_000_000), FlatXML.text("MsgType", "text"),
            FlatXML.text("Content", text))
    }

    /// The same, sealed and signed.
    func sealed(_ xml: String, signature: String? = nil) throws -> String {
        let sealing = try sealing()
        let sealed = try sealing.seal(xml)
        return FlatXML.document(
            FlatXML.text("Encrypt", sealed),
            FlatXML.text(
                "MsgSignature",
                try signature ?? sealing.signature("1700000000", "12345", sealed)),
            FlatXML.number("TimeStamp", 1_700_000_000), FlatXML.text("Nonce", "12345"))
    }
}

@Suite struct OfficialAccountTests {
    /// The vector of the interface's description, which wechatpy reads as well.
    @Test func `sealing follows the published vector`() throws {
        struct Fixed: RandomSource {
            func bytes(_ count: Int) -> [UInt8] { Array("0123456789abcdef".utf8.prefix(count)) }
        }
        let sealing = try MessageSealing(
            token: "123456", encodingAESKey: "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR",
            appID: "wx49f0ab532d5d035a", random: Fixed())
        let sealed = try sealing.seal("<xml><A>hi</A></xml>")
        #expect(
            sealed == "pxDvIKtJjb6ivztGO70jStDOcOK7zj1dVx87PfHj1p7q6hZwvY+9zAevjRxlNsyEAZ/MyFTOhyV"
                + "U629QFT+dug==")
        #expect(
            try sealing.signature("1411525903", "461056294", sealed)
                == "3c70c46e0ca48dd04bf8055d43fdab93dc8338e1")
        #expect(try sealing.open(sealed) == "<xml><A>hi</A></xml>")
    }

    @Test(arguments: [SandboxConfiguration.Account.Mode.plain, .aes])
    func `following and writing are pushed, the answers come back`(
        mode: SandboxConfiguration.Account.Mode
    ) async throws {
        let keys = try RunningSandbox.keys.get().tollgate
        let server = AccountServer(keys: keys)
        let receiver = Receiver { received, _ in
            let message = try server.message(received)
            let text =
                message["MsgType"] == "event"
                ? "welcome" : "you said <\(message["Content"] ?? "")> ]]> end"
            let reply = server.reply(text, to: message)
            return .init(body: mode == .aes ? try server.sealed(reply) : reply)
        }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.account = .init(callbackURL: receiverURL + "/cb", mode: mode)
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                await #expect(throws: SandboxControlError.self) {
                    try await control.send("hello", phone: "alice")
                }
                let followed = try await control.follow(phone: "alice")
                #expect(followed.reply == "welcome")
                #expect(followed.attempts == 1)
                #expect(followed.openID.utf8.count == 28)
                let sent = try await control.send("登录 & <b>]]>", phone: "alice")
                #expect(sent.reply == "you said <登录 & <b>]]>> ]]> end")
                let event = try server.message(receiver.received[0])
                #expect(event["Event"] == "subscribe")
                #expect(event["EventKey"] == "")
                #expect(event["ToUserName"] == keys.originalID)
                #expect(event["FromUserName"] == followed.openID)
                #expect(receiver.received[0].query("openid") == followed.openID)
                #expect(receiver.received[0].text.contains("<Encrypt>") == (mode == .aes))
                let text = try server.message(receiver.received[1])
                #expect(text["MsgId"].flatMap(Int64.init) ?? 0 > 0)
                let lines = try await control.messages(phone: "alice")
                #expect(lines.map(\.kind) == [.event, .reply, .sent, .reply])
                #expect(lines.last?.text == sent.reply)
                _ = try await control.unfollow(phone: "alice")
                #expect(try server.message(receiver.received[2])["Event"] == "unsubscribe")
                #expect(try await control.phones().map(\.isFollowing) == [false])
            }
        }
    }

    @Test func `a code with a scene is a subscribe first and a SCAN after that`() async throws {
        let server = AccountServer(keys: try RunningSandbox.keys.get().tollgate)
        let receiver = Receiver { _, _ in .init(body: "success") }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.account = .init(callbackURL: receiverURL + "/cb?x=1")
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                #expect(try await control.scan(phone: "bob", scene: "abc").reply == nil)
                _ = try await control.scan(phone: "bob", scene: "def")
                let first = try server.message(receiver.received[0])
                #expect(first["Event"] == "subscribe" && first["EventKey"] == "qrscene_abc")
                let second = try server.message(receiver.received[1])
                #expect(second["Event"] == "SCAN" && second["EventKey"] == "def")
                #expect(second["Ticket"]?.isEmpty == false)
                #expect(receiver.received[0].target.hasPrefix("/cb?x=1&signature="))
            }
        }
    }

    @Test func `without an answer the same message comes three times`() async throws {
        let server = AccountServer(keys: try RunningSandbox.keys.get().tollgate)
        let receiver = Receiver { _, index in
            index == 0 ? .init(status: 500) : .init(body: "success", afterMilliseconds: 1_200)
        }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.account = .init(callbackURL: receiverURL + "/cb")
                configuration.account.answerTimeoutMilliseconds = 800
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                let outcome = try await control.follow(phone: "alice")
                #expect(outcome.attempts == 3)
                #expect(outcome.fault == "no answer in time")
                #expect(try await control.messages(phone: "alice").last?.kind == .fault)
                let pushes = try receiver.received.map { try server.message($0) }
                #expect(pushes.count == 3)
                #expect(Set(pushes).count == 1)
                let nonces = receiver.received.map { $0.query("nonce") }
                #expect(Set(nonces).count == 3)
            }
        }
    }

    @Test func `nobody there is a fault that names the place`() async throws {
        try await RunningSandbox.run { configuration in
            // Port 1 (tcpmux) is below those that tests listen on, and nobody serves it.
            configuration.account = .init(callbackURL: "http://127.0.0.1:1/cb")
        } _: { sandbox in
            let control = SandboxControl(baseURL: sandbox.baseURL)
            let outcome = try await control.follow(phone: "alice")
            #expect(outcome.attempts == 3)
            #expect(outcome.fault == "nobody listens on 127.0.0.1:1")
        }
    }

    @Test func `a reply that the interface does not allow is a fault`() async throws {
        let server = AccountServer(keys: try RunningSandbox.keys.get().tollgate)
        let receiver = Receiver { received, index in
            let message = try server.message(received)
            let reply = server.reply("hi", to: message)
            let foreign = server.reply("hi", to: ["FromUserName": "o-other"])
            let bodies = [
                "ok", reply, try server.sealed(reply, signature: "00"),
                try server.sealed(foreign), try server.sealed("success"),
                try server.sealed(server.reply("", to: message)),
            ]
            return .init(body: bodies[index])
        }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.account = .init(callbackURL: receiverURL + "/cb", mode: .aes)
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                for _ in 0..<6 {
                    let outcome = try await control.follow(phone: "alice")
                    #expect(outcome.fault != nil && outcome.reply == nil)
                }
            }
        }
    }

    @Test func `the server check expects its echo`() async throws {
        let receiver = Receiver { received, index in
            .init(body: index == 0 ? received.query("echostr") : "something else")
        }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.account = .init(callbackURL: receiverURL + "/cb")
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                let (first, second) = (
                    try await control.checkServer(), try await control.checkServer()
                )
                #expect(first && !second)
                #expect(receiver.received[0].method == "GET")
            }
        }
    }
}

@Suite struct AccountInterfaceTests {
    private func post(_ sandbox: RunningSandbox, _ path: String, _ body: String) async throws
        -> JSONValue?
    {
        let response = try await sandbox.send("POST", path, body: body)
        #expect(response.status == 200)
        return JSONValue(parsing: response.body)
    }

    private func stableToken(_ sandbox: RunningSandbox, force: Bool = false) async throws -> String
    {
        let keys = sandbox.keys.tollgate
        let answer = try await post(
            sandbox, "/cgi-bin/stable_token",
            #"""
            {"grant_type":"client_credential","appid":"\#(keys.appID)",
             "secret":"\#(keys.appSecret)","force_refresh":\#(force)}
            """#)
        return try #require(answer?["access_token"]?.stringValue)
    }

    @Test func `the stable token stays the same until its last five minutes`() async throws {
        let clock = MovableClock()
        try await RunningSandbox.run {
            $0.clock = clock
        } _: { sandbox in
            let first = try await stableToken(sandbox)
            clock.advance(milliseconds: 6_800_000)
            #expect(try await stableToken(sandbox) == first)
            clock.advance(milliseconds: 200_000)
            let second = try await stableToken(sandbox)
            #expect(second != first)
            #expect(try await stableToken(sandbox, force: true) != second)
            let refused = try await post(
                sandbox, "/cgi-bin/message/template/send?access_token=\(second)", "{}")
            #expect(refused?["errcode"] == 40_001)
        }
    }

    @Test func `wrong credentials are an errcode under HTTP 200`() async throws {
        try await RunningSandbox.run { sandbox in
            let keys = sandbox.keys.tollgate
            let base = "/cgi-bin/token?grant_type=client_credential&appid="
            let wrongApp = try await sandbox.send("GET", base + "wx0&secret=\(keys.appSecret)")
            #expect(JSONValue(parsing: wrongApp.body)?["errcode"] == 40_013)
            let wrongSecret = try await sandbox.send("GET", base + "\(keys.appID)&secret=0")
            #expect(JSONValue(parsing: wrongSecret.body)?["errcode"] == 40_125)
            let right = try await sandbox.send(
                "GET", base + "\(keys.appID)&secret=\(keys.appSecret)")
            #expect(JSONValue(parsing: right.body)?["expires_in"] == 7_200)
        }
    }

    @Test func `a template message arrives once for each client message id`() async throws {
        let receiver = Receiver { _, _ in .init(body: "success") }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run {
                $0.account = .init(callbackURL: receiverURL + "/cb")
            } _: { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                let openID = try await control.follow(phone: "alice").openID
                let path =
                    "/cgi-bin/message/template/send?access_token=\(try await stableToken(sandbox))"
                func body(_ receiver: String, _ id: String) -> String {
                    #"""
                    {"touser":"\#(receiver)","template_id":"paid","client_msg_id":"\#(id)",
                     "data":{"thing1":{"value":"100 credits"}}}
                    """#
                }
                let first = try await post(sandbox, path, body(openID, "m1"))
                #expect(first?["errcode"] == 0)
                #expect(try await post(sandbox, path, body(openID, "m1")) == first)
                let second = try await post(sandbox, path, body(openID, "m2"))
                #expect(second?["msgid"] != first?["msgid"])
                let lines = try await control.messages(phone: "alice")
                #expect(
                    lines.filter { $0.kind == .template }.map(\.text)
                        == ["paid\nthing1: 100 credits", "paid\nthing1: 100 credits"])
                #expect(try await post(sandbox, path, "[]")?["errcode"] == 47_001)
                let stranger = try await post(sandbox, path, body("o-nobody", "m3"))
                #expect(stranger?["errcode"] == 40_003)
                _ = try await control.unfollow(phone: "alice")
                let gone = try await post(sandbox, path, body(openID, "m4"))
                #expect(gone?["errcode"] == 43_004)
            }
        }
    }
}

@Suite struct SceneCodeTests {
    private func token(_ sandbox: RunningSandbox) async throws -> String {
        let keys = sandbox.keys.tollgate
        let answer = try await sandbox.send(
            "GET",
            "/cgi-bin/token?grant_type=client_credential&appid=\(keys.appID)"
                + "&secret=\(keys.appSecret)")
        return try #require(JSONValue(parsing: answer.body)?["access_token"]?.stringValue)
    }

    private func make(
        _ sandbox: RunningSandbox, _ body: String, token: String
    ) async throws -> JSONValue? {
        let answer = try await sandbox.send(
            "POST", "/cgi-bin/qrcode/create?access_token=\(token)", body: body)
        #expect(answer.status == 200)
        return JSONValue(parsing: answer.body)
    }

    private static let body = #"""
        {"expire_seconds":300,"action_name":"QR_STR_SCENE",
         "action_info":{"scene":{"scene_str":"login-1"}}}
        """#

    @Test func `a temporary code is scanned by its text or ticket until its end`() async throws {
        let server = AccountServer(keys: try RunningSandbox.keys.get().tollgate)
        let receiver = Receiver { _, _ in .init(body: "success") }
        let clock = MovableClock()
        try await receiver.run { receiverURL in
            try await RunningSandbox.run {
                $0.account = .init(callbackURL: receiverURL + "/cb")
                $0.clock = clock
            } _: { sandbox in
                let made = try await make(sandbox, Self.body, token: token(sandbox))
                let ticket = try #require(made?["ticket"]?.stringValue)
                let url = try #require(made?["url"]?.stringValue)
                #expect(url.hasPrefix("http://weixin.qq.com/q/"))
                #expect(made?["expire_seconds"] == 300)
                let control = SandboxControl(baseURL: sandbox.baseURL)
                _ = try await control.scan(phone: "ann", scene: url)
                _ = try await control.scan(phone: "ann", scene: ticket)
                let first = try server.message(receiver.received[0])
                #expect(first["Event"] == "subscribe")
                #expect(first["EventKey"] == "qrscene_login-1")
                #expect(first["Ticket"] == ticket)
                let second = try server.message(receiver.received[1])
                #expect(second["Event"] == "SCAN")
                #expect(second["EventKey"] == "login-1")
                #expect(second["Ticket"] == ticket)
                clock.advance(milliseconds: 300_000)
                let late = await #expect(throws: SandboxControlError.self) {
                    try await control.scan(phone: "ann", scene: url)
                }
                #expect(late?.status == 409)
                let unknown = await #expect(throws: SandboxControlError.self) {
                    try await control.scan(phone: "ann", scene: "http://weixin.qq.com/q/none")
                }
                #expect(unknown?.status == 404)
                #expect(receiver.received.count == 2)
            }
        }
    }

    @Test func `a code outlives the sandbox's process`() async throws {
        let folder = try TemporaryFolder()
        let receiver = Receiver { _, _ in .init(body: "success") }
        try await receiver.run { receiverURL in
            var url = ""
            try await RunningSandbox.run(in: folder) { sandbox in
                let made = try await make(sandbox, Self.body, token: token(sandbox))
                url = made?["url"]?.stringValue ?? ""
            }
            try await RunningSandbox.run(in: folder) {
                $0.account = .init(callbackURL: receiverURL + "/cb")
            } _: { sandbox in
                _ = try await SandboxControl(baseURL: sandbox.baseURL)
                    .scan(phone: "ann", scene: url)
            }
            #expect(receiver.received.count == 1)
        }
    }

    @Test func `what WeChat would refuse is refused with its errcode`() async throws {
        try await RunningSandbox.run { sandbox in
            let token = try await token(sandbox)
            let long = String(repeating: "s", count: 65)
            func asking(_ kind: String, _ scene: String) -> String {
                #"{"action_name":"\#(kind)","action_info":{"scene":\#(scene)}}"#
            }
            let refusals: [(String, Int64)] = [
                ("[]", 47_001), ("{}", 40_052),
                (#"{"action_name":"QR_CARD"}"#, 40_052),
                (#"{"action_name":"QR_STR_SCENE"}"#, 40_053),
                (asking("QR_STR_SCENE", #"{"scene_str":""}"#), 40_053),
                (asking("QR_STR_SCENE", #"{"scene_str":"\#(long)"}"#), 40_053),
                (asking("QR_SCENE", #"{"scene_id":0}"#), 40_053),
                (asking("QR_LIMIT_SCENE", #"{"scene_id":100001}"#), 40_053),
            ]
            for (body, code) in refusals {
                let answer = try await make(sandbox, body, token: token)
                #expect(answer?["errcode"] == .integer(code), "\(body)")
            }
            #expect(try await make(sandbox, Self.body, token: "made-up")?["errcode"] == 40_001)
            let number = try await make(
                sandbox, asking("QR_SCENE", #"{"scene_id":7}"#), token: token)
            #expect(number?["expire_seconds"] == 60)
            let lasting = try await make(
                sandbox, asking("QR_LIMIT_SCENE", #"{"scene_id":7}"#), token: token)
            #expect(lasting?["url"] != nil)
            #expect(lasting?["expire_seconds"] == nil)
        }
    }
}

@Suite struct ControlTests {
    @Test func `only this machine's names reach the control interface`() async throws {
        try await RunningSandbox.run { sandbox in
            let page = try await sandbox.send("GET", "/")
            #expect(page.status == 200)
            #expect(page.header("content-type") == "text/html; charset=utf-8")
            #expect(String(decoding: page.body, as: UTF8.self).hasPrefix("<!doctype html>"))
            #expect(try await sandbox.send("GET", "/health").status == 200)
            let simple = try await sandbox.send(
                "POST", "/sandbox/follow", headers: [("Content-Type", "text/plain")],
                body: #"{"phone":"eve"}"#)
            #expect(simple.status == 415)
            let unknown = try await sandbox.send(
                "POST", "/sandbox/channels/none", headers: [("Content-Type", "application/json")],
                body: "{}")
            #expect(unknown.status == 404)
            #expect(try await SandboxControl(baseURL: sandbox.baseURL).phones().isEmpty)
        }
    }

    @Test func `keys of both halves fit together and stay as they are when stored`() throws {
        let keys = try RunningSandbox.keys.get()
        let merchant = try Certificate(pem: keys.sandbox.merchantCertificatePEM)
        #expect(merchant.serialNumber == keys.tollgate.merchantSerial)
        let signature = try RSAPrivateKey(pem: keys.tollgate.merchantPrivateKeyPEM).sign([1, 2, 3])
        #expect(try merchant.publicKey.isValid(signature: signature, for: [1, 2, 3]))
        #expect(keys.tollgate.encodingAESKey.utf8.count == 43)
        #expect(keys.tollgate.apiV3Key.utf8.count == 32)
        #expect(Set(keys.tollgate.modelKeys.values).count == 3)
        #expect(keys.tollgate.modelKeys == keys.sandbox.modelKeys)
    }
}
