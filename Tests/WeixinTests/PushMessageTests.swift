import Testing
import TollgateKernel
import Weixin

@Suite struct PushMessageTests {
    static let text = """
        <xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o_1]]></FromUserName>\
        <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
        <Content><![CDATA[登录 <b> & ]]]]><![CDATA[> end]]></Content><MsgId>42</MsgId></xml>
        """

    @Test func `A text message is read, character data and all`() throws {
        let message = try PushMessage(xml: Array(Self.text.utf8))
        #expect(message.openID == "o_1")
        #expect(message.officialAccount == "gh_1")
        #expect(message.kind == "text")
        #expect(message.text == "登录 <b> & ]]> end")
        #expect(message.deduplicationKey == "message:42")
    }

    @Test func `An event is known by sender, time and event`() throws {
        let xml = """
            <?xml version="1.0"?>
            <xml><FromUserName>o_2</FromUserName><CreateTime>7</CreateTime>
            <MsgType>event</MsgType><Event>subscribe</Event><EventKey></EventKey></xml>
            """
        let message = try PushMessage(xml: Array(xml.utf8))
        #expect(message.event == "subscribe")
        #expect(message.deduplicationKey == "event:o_2:7:subscribe")
        #expect(PushBehaviour(message, keywords: []) == .welcome)
    }

    @Test(
        arguments: [
            ("subscribe", "qrscene_abc", "abc"), ("SCAN", "abc", "abc"),
            ("SCAN", "qrscene_abc", "qrscene_abc"),
            ("subscribe", "", nil), ("subscribe", "abc", nil), ("SCAN", "", nil),
            ("CLICK", "abc", nil),
            ("SCAN", String(repeating: "s", count: 65), nil),
        ] as [(String, String, String?)])
    func `The scene of a QR code is what came after it`(
        event: String, key: String, scene: String?
    ) throws {
        let xml = """
            <xml><FromUserName>o_2</FromUserName><CreateTime>7</CreateTime>
            <MsgType>event</MsgType><Event>\(event)</Event><EventKey>\(key)</EventKey></xml>
            """
        let message = try PushMessage(xml: Array(xml.utf8))
        #expect(message.scene == scene)
        let end = scene.map { ":\($0)" } ?? ""
        #expect(message.deduplicationKey == "event:o_2:7:\(event)\(end)")
    }

    @Test(
        arguments: [
            ("42", 42, PushBehaviour.number), (" 4 2 ", 42, .number), ("４２", 42, .number),
            ("07", 7, .number), ("4", nil, .hint), ("427", nil, .hint), ("4x", nil, .hint),
            ("٤٢", nil, .hint), ("-42", nil, .hint), ("No", nil, .refusal), ("否", nil, .refusal),
            ("no way", nil, .hint),
        ] as [(String, Int64?, PushBehaviour)])
    func `Two digits are a number, a no is a refusal`(
        text: String, number: Int64?, behaviour: PushBehaviour
    ) throws {
        let xml = "<xml><MsgType>text</MsgType><Content><![CDATA[\(text)]]></Content></xml>"
        let message = try PushMessage(xml: Array(xml.utf8))
        #expect(message.number == number)
        #expect(PushBehaviour(message, keywords: ["login"]) == behaviour)
    }

    @Test(arguments: [
        "", "plain text", "<html></html>", "<xml>", "<xml></xml", "<xml></xml><xml></xml>",
        "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><A>&a;</A></xml>",
        "<?xml version=\"1.0\"?><!DOCTYPE xml SYSTEM \"file:///etc/passwd\"><xml></xml>",
        "<xml><A>&undefined;</A></xml>",
        "<xml><A>1</A><A>2</A></xml>",
        "<xml><A><B><C><D><E><F>deep</F></E></D></C></B></A></xml>",
        "<xml><A>\u{0}</A></xml>",
    ])
    func `What is no push is refused`(xml: String) {
        #expect(throws: Failure.self) { try PushMessage(xml: Array(xml.utf8)) }
    }

    @Test func `A body above the bound is refused`() {
        let xml = "<xml><A>\(String(repeating: "a", count: Limits.pushBytes))</A></xml>"
        #expect(throws: Failure.self) { try PushMessage(xml: Array(xml.utf8)) }
    }

    @Test(arguments: [
        ("登录", PushBehaviour.loginCode), (" 登 录 ", .loginCode), ("Login", .loginCode),
        ("hello", .hint), ("", .hint), ("登录登录", .hint),
    ])
    func `The keyword asks for a code, other texts get a hint`(
        text: String, expected: PushBehaviour
    ) throws {
        let xml = "<xml><MsgType>text</MsgType><Content><![CDATA[\(text)]]></Content></xml>"
        let message = try PushMessage(xml: Array(xml.utf8))
        #expect(PushBehaviour(message, keywords: ["登录", "login"]) == expected)
    }

    @Test func `A reply is a push's XML again, end marks and control characters included`() throws {
        let text = "a ]]> b ]]]> <c> & \u{1} 登录"
        let xml = PassiveReply.text(text, to: "o_1", from: "gh_1", createdAtSeconds: 5)
        let read = try PushMessage(xml: Array(xml.utf8))
        #expect(read.text == "a ]]> b ]]]> <c> &   登录")
        #expect(read.officialAccount == "o_1")
        #expect(read.openID == "gh_1")
    }
}
