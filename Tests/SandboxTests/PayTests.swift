import Cryptography
import Testing
import TollgateKernel

@testable import Sandbox

@Suite struct PayTests {
    @Test func `an order is made, paid and queried, every answer signed`() async throws {
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let code = try await merchant.place("order-1", fen: 1_234)
            #expect(code.hasPrefix("weixin://wxpay/bizpayurl?pr="))
            let unpaid = try await merchant.query("order-1")
            #expect(unpaid.json?["trade_state"] == "NOTPAY")
            #expect(unpaid.json?["transaction_id"] == nil)
            let control = SandboxControl(baseURL: sandbox.baseURL)
            let paid = try await control.pay(code, phone: "alice")
            #expect(paid.state == "SUCCESS")
            let answer = try await merchant.query("order-1")
            #expect(answer.status == 200)
            #expect(answer.json?["trade_state"] == "SUCCESS")
            #expect(answer.json?["trade_type"] == "NATIVE")
            #expect(answer.json?["amount"]?["total"] == 1_234)
            #expect(answer.json?["amount"]?["currency"] == "CNY")
            #expect(answer.json?["payer"]?["openid"]?.stringValue == paid.payer)
            let transaction = try #require(answer.json?["transaction_id"]?.stringValue)
            #expect(transaction.count == 28 && transaction.hasPrefix("4200"))
            let byID = try await merchant.send(
                "GET",
                "/v3/pay/transactions/id/\(transaction)?mchid=\(merchant.keys.merchantID)")
            #expect(byID.json == answer.json)
            #expect(try await merchant.query("order-2").code == "ORDER_NOT_EXIST")
        }
    }

    @Test func `the same order again gets a fresh code, another one is refused`() async throws {
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let first = try await merchant.place("order-1")
            let second = try await merchant.place("order-1")
            #expect(first != second)
            let place = "/v3/pay/transactions/native"
            let other = try await merchant.send(
                "POST", place, body: merchant.orderBody("order-1", fen: 991))
            #expect((other.status, other.code) == (403, "OUT_TRADE_NO_USED"))
            let control = SandboxControl(baseURL: sandbox.baseURL)
            _ = try await control.pay(first, phone: "alice")
            let paid = try await merchant.send(
                "POST", place, body: merchant.orderBody("order-1"))
            #expect((paid.status, paid.code) == (400, "ORDER_PAID"))
            #expect(try await merchant.close("order-1").code == "ORDER_PAID")
            await #expect(throws: SandboxControlError.self) {
                try await control.pay(second, phone: "alice")
            }
        }
    }

    @Test func `a closed order cannot be paid or made again`() async throws {
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let code = try await merchant.place("order-1")
            let closed = try await merchant.close("order-1")
            #expect(closed.status == 204 && closed.json == nil)
            #expect(try await merchant.close("order-1").status == 204)
            #expect(try await merchant.close("order-9").code == "ORDER_NOT_EXIST")
            #expect(try await merchant.query("order-1").json?["trade_state"] == "CLOSED")
            let again = try await merchant.send(
                "POST", "/v3/pay/transactions/native", body: merchant.orderBody("order-1"))
            #expect(again.code == "ORDER_CLOSED")
            let control = SandboxControl(baseURL: sandbox.baseURL)
            await #expect(
                throws: SandboxControlError(status: 409, message: "This order is closed (订单已关闭).")
            ) {
                try await control.pay(code, phone: "alice")
            }
        }
    }

    @Test func `an order that ran out is not closed, but cannot be paid`() async throws {
        let clock = MovableClock()
        try await RunningSandbox.run { configuration in
            configuration.clock = clock
            configuration.pay.minimumExpirySeconds = 2
        } _: { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let start = clock.now()
            // Asked for a second, lifted to two.
            let code = try await merchant.place(
                "order-1", expire: start.adding(milliseconds: 1_000))
            let control = SandboxControl(baseURL: sandbox.baseURL)
            let trade = try #require(try await control.trades().first)
            #expect(trade.expiresAtMilliseconds == start.milliseconds + 2_000)
            clock.advance(milliseconds: 2_000)
            await #expect(
                throws: SandboxControlError(
                    status: 409, message: "The time to pay this order is out (订单已过期).")
            ) {
                try await control.pay(code, phone: "alice")
            }
            #expect(try await merchant.query("order-1").json?["trade_state"] == "NOTPAY")
            #expect(try await merchant.close("order-1").status == 204)
        }
    }

    @Test func `wrong parameters are refused by name`() async throws {
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let good = merchant.orderBody("order-1")
            let bad = [
                "{", "[]", good.replacing("order-1", with: "12345"),
                good.replacing("order-1", with: "order 1"),
                // By its name: the random ids of the keys may hold these digits too.
                good.replacing(#""total":990"#, with: #""total":0"#),
                good.replacing(#""total":990"#, with: #""total":9.5"#),
                good.replacing("CNY", with: "USD"),
                good.replacing("/notify\"", with: "/notify?a=1\""),
                good.replacing("http://127.0.0.1:1", with: "http://example.org"),
                good.replacing("100 credits", with: String(repeating: "长", count: 128)),
                good.replacing(#""amount""#, with: #""time_expire":"tomorrow","amount""#),
            ]
            for body in bad {
                let answer = try await merchant.send(
                    "POST", "/v3/pay/transactions/native", body: body)
                #expect((answer.status, answer.code) == (400, "PARAM_ERROR"), "\(body)")
            }
            let foreign = good.replacing(merchant.keys.appID, with: "wx0000000000000000")
            let answer = try await merchant.send(
                "POST", "/v3/pay/transactions/native", body: foreign)
            #expect(answer.code == "APPID_MCHID_NOT_MATCH")
            #expect(try await SandboxControl(baseURL: sandbox.baseURL).trades().isEmpty)
        }
    }

    @Test func `a request that is not the merchant's, or stale, is refused`() async throws {
        let otherKey = try RSAPrivateKey.generate()
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let body = merchant.orderBody("order-1")
            let wrong: [Merchant.Changes] = [
                .init(ageSeconds: 301), .init(ageSeconds: -302),
                .init(serial: merchant.keys.platformSerial), .init(merchantID: "1900000000"),
                .init(signedBody: body + " "), .init(privateKey: otherKey),
            ]
            for changes in wrong {
                let answer = try await merchant.send(
                    "POST", "/v3/pay/transactions/native", body: body, changes: changes)
                #expect((answer.status, answer.code) == (401, "SIGN_ERROR"))
            }
            let unsigned = try await sandbox.send(
                "GET",
                "/v3/pay/transactions/out-trade-no/order-1?mchid=\(merchant.keys.merchantID)",
                headers: [("Accept", "application/json"), ("User-Agent", "test")])
            #expect(unsigned.status == 401)
            #expect(try await SandboxControl(baseURL: sandbox.baseURL).trades().isEmpty)
            let slow = try await merchant.send(
                "POST", "/v3/pay/transactions/native", body: body,
                changes: .init(ageSeconds: 290))
            #expect(slow.status == 200)
        }
    }

    @Test func `the platform certificate can be fetched and is the one that signs`() async throws {
        try await RunningSandbox.run { sandbox in
            let merchant = Merchant(sandbox: sandbox)
            let answer = try await merchant.send("GET", "/v3/certificates")
            guard case .array(let entries) = answer.json?["data"] else {
                Issue.record("no data")
                return
            }
            let pem = try merchant.open(entries[0]["encrypt_certificate"])
            let certificate = try Certificate(pem: pem)
            #expect(certificate.serialNumber == merchant.keys.platformSerial)
            #expect(certificate.serialNumber.count == 40)
            #expect(entries[0]["serial_no"]?.stringValue == certificate.serialNumber)
            #expect(try certificate.publicKey.pem() == merchant.keys.platformPublicKeyPEM)
        }
    }
}
