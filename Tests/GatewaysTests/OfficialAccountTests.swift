import Gateways
import Synchronization
import Testing
import TollgateKernel
import Weixin

/// The gateway against a server that gives out tokens and takes messages as WeChat does.
@Suite(.timeLimit(.minutes(1)))
struct OfficialAccountTests {
    private static let message = TemplateMessage(
        openID: "o_1", templateID: "t_1", clientMessageID: "42",
        values: ["thing1": "Starter \"pack\"", "amount2": "¥12.34"])

    @Test
    func `a message is sent with a token fetched once`() async throws {
        let weixin = Weixin()
        try await weixin.serve { account in
            try await account.send(Self.message)
            try await account.send(Self.message)
        }
        #expect(weixin.tokenCalls == 1)
        let sent = weixin.sent
        #expect(sent.count == 2)
        #expect(sent[0].path == "/cgi-bin/message/template/send?access_token=token-1")
        #expect(
            String(decoding: sent[0].body, as: UTF8.self)
                == #"{"touser":"o_1","template_id":"t_1","client_msg_id":"42","#
                + #""data":{"amount2":{"value":"¥12.34"},"thing1":{"value":"Starter \"pack\""}}}"#)
        #expect(
            weixin.tokenBodies
                == [
                    #"{"grant_type":"client_credential","appid":"wx1","secret":"s3cret","#
                        + #""force_refresh":false}"#
                ])
    }

    @Test
    func `a hundred callers make one token call`() async throws {
        let weixin = Weixin(tokenDelayMilliseconds: 50)
        try await weixin.serve { account in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { try await account.send(Self.message) } }
                try await group.waitForAll()
            }
        }
        #expect(weixin.tokenCalls == 1)
        #expect(weixin.sent.count == 100)
    }

    @Test(arguments: [40_001, 40_014, 42_001])
    func `a token killed by another is replaced once for all callers`(code: Int) async throws {
        let weixin = Weixin(rejectedTokens: ["token-1"], rejection: code)
        try await weixin.serve { account in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 { group.addTask { try await account.send(Self.message) } }
                try await group.waitForAll()
            }
        }
        #expect(weixin.tokenCalls == 2)
        #expect(weixin.accepted == 50)
    }

    @Test
    func `a token repeated after its rejection is renewed by force`() async throws {
        let weixin = Weixin(rejectedTokens: ["token-1"], repeatsUnlessForced: true)
        try await weixin.serve { account in try await account.send(Self.message) }
        #expect(
            weixin.tokenBodies.map { $0.contains(#""force_refresh":true"#) } == [
                false, false, true,
            ])
        #expect(weixin.accepted == 1)
    }

    @Test
    func `a token refused twice is not tried a third time`() async throws {
        let weixin = Weixin(rejectedTokens: ["token-1", "token-2"])
        let failure = await #expect(throws: OfficialAccountFailure.self) {
            try await weixin.serve { account in try await account.send(Self.message) }
        }
        #expect(failure?.kind == .temporary)
        #expect(failure?.remoteCode == 40_001)
        #expect(weixin.tokenCalls == 2)
    }

    @Test
    func `a token is renewed five minutes before its end`() async throws {
        let weixin = Weixin()
        let clock = MovableClock()
        try await weixin.serve(clock: clock) { account in
            try await account.send(Self.message)
            clock.advance(seconds: 7_200 - 301)
            try await account.send(Self.message)
            #expect(weixin.tokenCalls == 1)
            clock.advance(seconds: 1)
            try await account.send(Self.message)
            #expect(weixin.tokenCalls == 2)
        }
    }

    @Test(arguments: [
        (-1, OfficialAccountFailure.Kind.temporary), (45_009, .temporary), (45_011, .temporary),
        (40_013, .misconfigured), (40_125, .misconfigured), (40_164, .misconfigured),
        (40_037, .final), (43_004, .final), (40_003, .final), (47_001, .final), (99_999, .final),
    ])
    func `an errcode in an answer of status 200 means what the table says`(
        code: Int, kind: OfficialAccountFailure.Kind
    ) async throws {
        let weixin = Weixin(answer: #"{"errcode":\#(code),"errmsg":"x"}"#)
        let failure = await #expect(throws: OfficialAccountFailure.self) {
            try await weixin.serve { account in try await account.send(Self.message) }
        }
        #expect(failure?.kind == kind)
        #expect(failure?.remoteCode == code)
        #expect(weixin.tokenCalls == 1)
    }

    @Test(arguments: ["", "<html>", "[]", "ok"])
    func `an answer that cannot be read is temporary`(answer: String) async throws {
        let weixin = Weixin(answer: answer)
        let failure = await #expect(throws: OfficialAccountFailure.self) {
            try await weixin.serve { account in try await account.send(Self.message) }
        }
        #expect(failure?.kind == .temporary)
    }

    @Test
    func `a QR code with a scene is asked for under the same token`() async throws {
        let weixin = Weixin(
            rejectedTokens: ["token-1"],
            answer: #"{"ticket":"gQ1","expire_seconds":300,"url":"http:\/\/weixin.qq.com\/q\/a"}"#)
        try await weixin.serve { account in
            let code = try await account.makeCode(scene: "login-1", lifetimeSeconds: 300)
            #expect(
                code
                    == SceneCode(
                        ticket: "gQ1", url: "http://weixin.qq.com/q/a", lifetimeSeconds: 300))
        }
        #expect(weixin.tokenCalls == 2)
        #expect(weixin.sent.last?.path == "/cgi-bin/qrcode/create?access_token=token-2")
        #expect(
            String(decoding: weixin.sent.last?.body ?? [], as: UTF8.self)
                == #"{"expire_seconds":300,"action_name":"QR_STR_SCENE","#
                + #""action_info":{"scene":{"scene_str":"login-1"}}}"#)
    }

    @Test(arguments: [
        (#"{"errcode":40053,"errmsg":"invalid action info"}"#, OfficialAccountFailure.Kind.final),
        (#"{"errcode":48001,"errmsg":"api unauthorized"}"#, .misconfigured),
        (#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#, .temporary),
        (#"{"ticket":"gQ1","expire_seconds":300}"#, .temporary),
        (#"{"ticket":"","expire_seconds":300,"url":"http://a"}"#, .temporary),
        (#"{"ticket":"gQ1","expire_seconds":300,"url":"javascript:alert(1)"}"#, .temporary),
        (#"{"ticket":"gQ1","expire_seconds":0,"url":"http://a"}"#, .temporary),
    ])
    func `an answer without a QR code is a failure of its kind`(
        answer: String, kind: OfficialAccountFailure.Kind
    ) async throws {
        let weixin = Weixin(answer: answer)
        let failure = await #expect(throws: OfficialAccountFailure.self) {
            try await weixin.serve { account in
                _ = try await account.makeCode(scene: "login-1", lifetimeSeconds: 300)
            }
        }
        #expect(failure?.kind == kind)
    }

    @Test(
        arguments: [
            ("", 300), (String(repeating: "s", count: 65), 300), ("s", 0), ("s", 2_592_001),
        ] as [(String, Int64)])
    func `a scene or life that WeChat refuses is not sent`(scene: String, seconds: Int64)
        async throws
    {
        let weixin = Weixin()
        let failure = await #expect(throws: OfficialAccountFailure.self) {
            try await weixin.serve { account in
                _ = try await account.makeCode(scene: scene, lifetimeSeconds: seconds)
            }
        }
        #expect(failure?.kind == .final)
        #expect(weixin.tokenCalls == 0)
    }

    @Test
    func `the configuration prints no secret`() {
        let configuration = OfficialAccountConfiguration(
            baseURL: "http://a", appID: "wx1", appSecret: "s3cret")
        #expect(!"\(configuration)\(String(reflecting: configuration))".contains("s3cret"))
    }
}

/// What the test's WeChat does.
private final class Weixin: Sendable {
    private struct State {
        var tokenBodies: [String] = []
        var sent: [RawRequest] = []
        var accepted = 0
        var token = 0
    }

    private let state = Mutex(State())
    private let tokenDelayMilliseconds: Int
    private let rejectedTokens: Set<String>
    private let rejection: Int
    private let repeatsUnlessForced: Bool
    private let answer: String

    init(
        tokenDelayMilliseconds: Int = 0, rejectedTokens: Set<String> = [], rejection: Int = 40_001,
        repeatsUnlessForced: Bool = false,
        answer: String = #"{"errcode":0,"errmsg":"ok","msgid":1}"#
    ) {
        self.tokenDelayMilliseconds = tokenDelayMilliseconds
        self.rejectedTokens = rejectedTokens
        self.rejection = rejection
        self.repeatsUnlessForced = repeatsUnlessForced
        self.answer = answer
    }

    var tokenCalls: Int { state.withLock { $0.tokenBodies.count } }
    var tokenBodies: [String] { state.withLock { $0.tokenBodies } }
    var sent: [RawRequest] { state.withLock { $0.sent } }
    var accepted: Int { state.withLock { $0.accepted } }

    func serve(
        clock: any WallClock = MovableClock(), _ body: (OfficialAccount) async throws -> Void
    ) async throws {
        let server = try RawServer { [self] connection in
            while let request = connection.readRequest() { reply(to: request, on: connection) }
        }
        defer { server.stop() }
        try await withTransfers { transfers in
            try await body(
                OfficialAccount(
                    configuration: OfficialAccountConfiguration(
                        baseURL: server.url, appID: "wx1", appSecret: "s3cret"),
                    transfers: transfers, clock: clock))
        }
    }

    private func reply(to request: RawRequest, on connection: RawConnection) {
        if request.path == "/cgi-bin/stable_token" {
            let body = String(decoding: request.body, as: UTF8.self)
            let isForced = body.contains(#""force_refresh":true"#)
            let number = state.withLock { state in
                state.tokenBodies.append(body)
                if state.token == 0 || isForced || !repeatsUnlessForced { state.token += 1 }
                return state.token
            }
            connection.pause(milliseconds: tokenDelayMilliseconds)
            connection.answer(200, #"{"access_token":"token-\#(number)","expires_in":7200}"#)
            return
        }
        let token = request.path.split(separator: "=").last.map(String.init) ?? ""
        let isRejected = rejectedTokens.contains(token)
        state.withLock { state in
            state.sent.append(request)
            if !isRejected { state.accepted += 1 }
        }
        connection.answer(200, isRejected ? #"{"errcode":\#(rejection),"errmsg":"x"}"# : answer)
    }
}
