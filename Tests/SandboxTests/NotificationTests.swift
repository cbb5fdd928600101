import Foundation
import Testing
import TollgateKernel

@testable import Sandbox

@Suite struct NotificationTests {
    /// 15 s become 15 ms.
    private static let scale = 0.001

    private func scaled(_ configuration: inout SandboxConfiguration) {
        configuration.pay.notifyScheduleScale = Self.scale
    }

    /// Places an order and pays it.
    private func pay(_ sandbox: RunningSandbox, _ number: String, notifyURL: String) async throws {
        let code = try await Merchant(sandbox: sandbox).place(number, notifyURL: notifyURL)
        _ = try await SandboxControl(baseURL: sandbox.baseURL).pay(code, phone: "alice")
    }

    private func notification(_ sandbox: RunningSandbox, of number: String) async throws
        -> TradeState.Notification?
    {
        let trades = try await SandboxControl(baseURL: sandbox.baseURL).trades()
        return trades.first { $0.outTradeNumber == number }?.notifications.first
    }

    @Test func `a payment is notified, encrypted and signed`() async throws {
        let receiver = Receiver { _, _ in .init(status: 204) }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run(configure: scaled) { sandbox in
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/callback/wechatpay")
                #expect(try await eventually { !receiver.received.isEmpty })
                let received = try #require(receiver.received.first)
                #expect(received.method == "POST")
                #expect(received.target == "/callback/wechatpay")
                let merchant = Merchant(sandbox: sandbox)
                try merchant.check(
                    headers: { received.headers[$0.lowercased()] ?? "" }, body: received.body)
                let event = try #require(JSONValue(parsing: received.body))
                #expect(event["event_type"] == "TRANSACTION.SUCCESS")
                #expect(event["resource_type"] == "encrypt-resource")
                #expect(event["resource"]?["algorithm"] == "AEAD_AES_256_GCM")
                let text = try merchant.open(event["resource"])
                let trade = try #require(JSONValue(parsing: Array(text.utf8)))
                let queried = try await merchant.query("order-1")
                #expect(trade == queried.json)
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.state == "delivered"
                    })
                #expect(receiver.received.count == 1)
            }
        }
    }

    @Test func `a refused notification comes again by the schedule, with the same id`()
        async throws
    {
        let receiver = Receiver { _, index in .init(status: index < 4 ? 500 : 200) }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run(configure: scaled) { sandbox in
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.state == "delivered"
                    })
                let received = receiver.received
                try #require(received.count == 5)
                let ids = received.map { JSONValue(parsing: $0.body)?["id"] }
                #expect(Set(ids).count == 1)
                // 15, 15, 30 and 180 thousandths of a second lie between them at least.
                let gaps = zip(received, received.dropFirst()).map { $0.at.duration(to: $1.at) }
                for (gap, seconds) in zip(gaps, PendingNotification.gapsSeconds) {
                    #expect(gap >= .milliseconds(seconds - 2))
                }
            }
        }
    }

    @Test func `after sixteen refusals it is given up`() async throws {
        let receiver = Receiver { _, _ in .init(status: 500, body: #"{"code":"FAIL"}"#) }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.pay.notifyScheduleScale = 0.000_01
            } _: { sandbox in
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.state == "abandoned"
                    })
                #expect(receiver.received.count == 16)
                let stored = try await notification(sandbox, of: "order-1")
                #expect(stored?.attempts == 16)
                #expect(stored?.lastResult == "HTTP 500")
            }
        }
    }

    @Test func `a 200 that says FAIL is not repeated, a slow answer is`() async throws {
        let receiver = Receiver { _, index in
            index == 0
                ? .init(status: 200, afterMilliseconds: 1_500)
                : .init(status: 200, body: #"{"code":"FAIL"}"#)
        }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run { configuration in
                configuration.pay.notifyScheduleScale = Self.scale
                configuration.pay.notifyTimeoutMilliseconds = 1_000
            } _: { sandbox in
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.state == "delivered"
                    })
                // A machine under load may be late a second time; the 200 ends it all the same.
                let attempts = try await notification(sandbox, of: "order-1")?.attempts ?? 0
                #expect(attempts >= 2)
                #expect(receiver.received.count == attempts)
            }
        }
    }

    @Test func `the loss switch loses as many notifications as it says, for good`() async throws {
        let receiver = Receiver { _, _ in .init(status: 200) }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run(configure: scaled) { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                let switches = try await control.setNotificationLoss(NotificationLoss(next: 1))
                #expect(switches.notificationLoss.next == 1)
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                try await pay(sandbox, "order-2", notifyURL: receiverURL + "/n")
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-2")?.state == "delivered"
                    })
                #expect(try await notification(sandbox, of: "order-1")?.state == "lost")
                #expect(try await control.switches().notificationLoss.next == 0)
                try await control.setNotificationLoss(NotificationLoss(all: true))
                try await pay(sandbox, "order-3", notifyURL: receiverURL + "/n")
                #expect(try await notification(sandbox, of: "order-3")?.state == "lost")
                try await Task.sleep(for: .milliseconds(100))
                #expect(receiver.received.count == 1)
            }
        }
    }

    @Test func `a notification can be sent by hand, wrongly too and many times`() async throws {
        let receiver = Receiver { _, _ in .init(status: 200, body: "taken") }
        try await receiver.run { receiverURL in
            try await RunningSandbox.run(configure: scaled) { sandbox in
                let control = SandboxControl(baseURL: sandbox.baseURL)
                try await control.setNotificationLoss(NotificationLoss(all: true))
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                var changes = NotificationChanges()
                changes.totalFen = 1
                changes.copies = 5
                let answers = try await control.notify(outTradeNumber: "order-1", changes: changes)
                #expect(answers == Array(repeating: .init(status: 200, body: "taken"), count: 5))
                #expect(receiver.received.count == 5)
                let merchant = Merchant(sandbox: sandbox)
                for received in receiver.received {
                    try merchant.check(
                        headers: { received.headers[$0.lowercased()] ?? "" }, body: received.body)
                    let resource = JSONValue(parsing: received.body)?["resource"]
                    #expect(try merchant.open(resource).contains(#""total":1,"#))
                }
            }
        }
    }

    @Test func `a killed sandbox forgets no trade, notification, follower or switch`()
        async throws
    {
        let (folder, killed) = (try TemporaryFolder(), try TemporaryFolder())
        let receiver = Receiver { _, index in .init(status: index == 0 ? 503 : 200) }
        try await receiver.run { receiverURL in
            var transaction: JSONValue?
            // The first re-send would come after 15 s, when this sandbox is long gone.
            try await RunningSandbox.run(in: folder) { sandbox in
                try await pay(sandbox, "order-1", notifyURL: receiverURL + "/n")
                _ = try await Merchant(sandbox: sandbox).place("order-2")
                var switches = ChannelSwitches()
                switches.failStatus = 503
                try await SandboxControl(baseURL: sandbox.baseURL).setChannel("b", switches)
                #expect(try await eventually { receiver.received.count == 1 })
                transaction = try await Merchant(sandbox: sandbox).query("order-1").json
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.attempts == 1
                    })
                // Nobody answers at the callback address, but the person follows all the same.
                _ = try await SandboxControl(baseURL: sandbox.baseURL).follow(phone: "alice")
                // What a kill leaves behind: the file as it is while the sandbox still runs.
                try FileManager.default.copyItem(
                    atPath: folder.path + "/sandbox.sqlite",
                    toPath: killed.path + "/sandbox.sqlite")
            }
            let clock = MovableClock()
            clock.advance(milliseconds: 16_000)
            try await RunningSandbox.run(in: killed) { configuration in
                configuration.clock = clock
            } _: { sandbox in
                #expect(try await eventually { receiver.received.count == 2 })
                #expect(
                    try await eventually {
                        try await notification(sandbox, of: "order-1")?.state == "delivered"
                    })
                let merchant = Merchant(sandbox: sandbox)
                #expect(try await merchant.query("order-1").json == transaction)
                #expect(try await merchant.query("order-2").json?["trade_state"] == "NOTPAY")
                let control = SandboxControl(baseURL: sandbox.baseURL)
                let switches = try await control.switches()
                #expect(switches.channels["b"]?.failStatus == 503)
                let followers = try await control.phones().filter(\.isFollowing)
                #expect(followers.map(\.name) == ["alice"])
            }
        }
    }
}
