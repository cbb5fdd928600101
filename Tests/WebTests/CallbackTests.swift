import HTTPTypes
import Hummingbird
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

@testable import Web

@Suite struct CallbackTests {
    @Test(arguments: Way.allCases) func `a push goes through as it came and so does the verdict`(
        way: Way
    ) async throws {
        let server = FakeServer { _ in
            try V1.ReceiveCallbackResponse(
                httpStatus: 200, contentType: "application/xml", body: Array("<xml/>".utf8)
            ).encoded()
        }
        try await TestedWeb.run(server, way) { web in
            let response = try await web.execute(
                "POST", "/callback/weixin?signature=a%2Bb&timestamp=1&nonce=%E4%BD%A0&x=1+2",
                body: "<xml>你好 \u{0}</xml>")
            #expect(response.status == .ok)
            #expect(response.contentType == "application/xml")
            #expect(response.body == "<xml/>")
        }
        let request = try #require(try server.firstRequest(as: V1.ReceiveCallbackRequest.self))
        #expect(request.httpMethod == "POST")
        #expect(request.query == "signature=a%2Bb&timestamp=1&nonce=%E4%BD%A0&x=1+2")
        #expect(request.body == Array("<xml>你好 \u{0}</xml>".utf8))
        #expect(server.received[0].method.fullName == "tollgate.v1.WeixinService/ReceiveCallback")
    }

    @Test(arguments: Way.allCases) func `the server check is a GET with its echo`(way: Way)
        async throws
    {
        let server = FakeServer { call in
            let request = try V1.ReceiveCallbackRequest.decode(call.payload)
            let isRight = request.httpMethod == "GET" && request.query == "echostr=42"
            return try V1.ReceiveCallbackResponse(
                httpStatus: isRight ? 200 : 403, contentType: "text/plain",
                body: Array((isRight ? "42" : "").utf8)
            ).encoded()
        }
        try await TestedWeb.run(server, way) { web in
            let right = try await web.execute("GET", "/callback/weixin?echostr=42")
            #expect(right.status == .ok && right.body == "42")
            let wrong = try await web.execute("GET", "/callback/weixin")
            #expect(wrong.status == .forbidden && wrong.body.isEmpty)
        }
    }

    @Test(arguments: Way.allCases) func `of a notification only the signature headers go on`(
        way: Way
    ) async throws {
        let server = FakeServer { _ in
            try V1.NotifyPaymentResponse(httpStatus: 401, body: #"{"code":"FAIL"}"#).encoded()
        }
        let body = #"{"id":"EV-1", "resource":{}}"#
        try await TestedWeb.run(server, way) { web in
            let response = try await web.execute(
                "POST", "/callback/wechatpay",
                headers: [
                    ("Authorization", "secret"), ("User-Agent", "Mozilla/4.0"),
                    ("Wechatpay-Timestamp", "1"), ("Wechatpay-Nonce", "n"),
                    ("Wechatpay-Serial", "S"), ("Wechatpay-Signature", "A"),
                    ("WECHATPAY-SIGNATURE", "B"), ("Wechatpay-Signature-Type", "T"),
                    ("Cookie", "c=1"),
                ], body: body)
            #expect(response.status == .unauthorized)
            #expect(response.contentType == "application/json; charset=utf-8")
            #expect(response.body == #"{"code":"FAIL"}"#)
        }
        let request = try #require(try server.firstRequest(as: V1.NotifyPaymentRequest.self))
        #expect(request.body == Array(body.utf8))
        #expect(
            request.headers.map(\.name) == [
                "wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial",
                "wechatpay-signature", "wechatpay-signature", "wechatpay-signature-type",
            ])
        #expect(request.headers.map(\.value) == ["1", "n", "S", "A", "B", "T"])
    }

    @Test(arguments: Way.allCases) func `what is too large never reaches the server`(way: Way)
        async throws
    {
        let server = FakeServer { _ in [] }
        let large = String(repeating: "a", count: WebLimits.callbackBytes + 1)
        let query = String(repeating: "a", count: WebLimits.queryBytes + 1)
        try await TestedWeb.run(server, way) { web in
            for path in ["/callback/weixin", "/callback/wechatpay"] {
                let response = try await web.execute("POST", path, body: large)
                #expect(response.status == .contentTooLarge)
            }
            let long = try await web.execute("GET", "/callback/weixin?\(query)")
            #expect(long.status == .uriTooLong)
            let value = String(repeating: "A", count: WebLimits.headerValueBytes + 1)
            let header = try await web.execute(
                "POST", "/callback/wechatpay", headers: [("Wechatpay-Signature", value)])
            #expect(header.status == .requestHeaderFieldsTooLarge)
        }
        #expect(server.received.isEmpty)
    }

    @Test(arguments: Way.allCases)
    func `a server without a verdict is a 5xx, so that it comes again`(
        way: Way
    ) async throws {
        for code in [Failure.Code.unavailable, .invalidRequest, .unauthenticated, .internalError] {
            let server = FakeServer { _ in throw Failure(code, "no") }
            try await TestedWeb.run(server, way) { web in
                for path in ["/callback/weixin", "/callback/wechatpay"] {
                    let response = try await web.execute("POST", path)
                    #expect(response.status == .serviceUnavailable)
                }
            }
        }
        let nonsense = FakeServer { _ in
            try V1.ReceiveCallbackResponse(httpStatus: 99, contentType: "", body: []).encoded()
        }
        try await TestedWeb.run(nonsense, way) { web in
            let response = try await web.execute("POST", "/callback/weixin")
            #expect(response.status == .badGateway)
        }
    }

    @Test(arguments: Way.allCases) func `a server that is late is cancelled and answered for`(
        way: Way
    ) async throws {
        let server = FakeServer { _ in
            try await Task.sleep(for: .seconds(60))
            return []
        }
        try await TestedWeb.run(server, timeoutMilliseconds: 100, way) { web in
            let start = ContinuousClock.now
            let push = try await web.execute("POST", "/callback/weixin")
            #expect(push.status == .gatewayTimeout)
            let notification = try await web.execute("POST", "/callback/wechatpay")
            #expect(notification.status == .gatewayTimeout)
            #expect(notification.body.contains(#""code":"FAIL""#))
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }

    @Test(arguments: Way.allCases) func `health is the server's`(way: Way) async throws {
        let alive = FakeServer { _ in
            try V1.PingResponse(payload: [], version: "1", nowMilliseconds: 1, realm: "sandbox")
                .encoded()
        }
        try await TestedWeb.run(alive, way) { web in
            let response = try await web.execute("GET", "/health")
            #expect(response.status == .ok)
            #expect(response.body == #"{"status":"ok","realm":"sandbox"}"#)
        }
        let dead = FakeServer { _ in throw Failure(.unavailable, "gone") }
        try await TestedWeb.run(dead, way) { web in
            let response = try await web.execute("GET", "/health")
            #expect(response.status == .serviceUnavailable)
            #expect(
                response.body == #"{"status":"unavailable","code":"unavailable"}"#)
            let unknown = try await web.execute("POST", "/callback/other")
            #expect(unknown.status == .notFound)
        }
    }
}
