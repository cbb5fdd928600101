import Foundation
import Sandbox
import Synchronization
import TollgateClient
import TollgateKernel

/// A person who buys, pays and chats again and again, through whatever the servers suffer.
final class Customer: Sendable {
    /// What was acknowledged: it has to be there afterwards.
    struct Acknowledged {
        /// Orders by number at WeChat Pay, with our id.
        var orders: [String: String] = [:]
        /// Chats that ended with a receipt charged to credits.
        var paidChats = 0
        /// Calls that ended in an error: the test must have hurt somebody.
        var failures = 0
    }

    let name: String
    private let loop: RunningLoop
    private let client: TollgateClient
    private let session: String
    private let acknowledged = Mutex(Acknowledged())

    private init(name: String, loop: RunningLoop, client: TollgateClient, session: String) {
        self.name = name
        self.loop = loop
        self.client = client
        self.session = session
    }

    /// Follows, asks for a code and signs in.
    static func signIn(_ name: String, _ loop: RunningLoop) async throws -> Customer {
        _ = try await loop.eventually { try await loop.sandbox.follow(phone: name) }
        let client = try loop.client("cli")
        let session = try await loop.eventually { () async throws -> String? in
            let reply = try await loop.sandbox.send("login", phone: name).reply ?? ""
            guard let match = reply.firstMatch(of: /[0-9A-Z]{4}-[0-9A-Z]{4}/) else { return nil }
            let request = V1.LoginRequest(code: String(match.output), source: name, device: "")
            return try await AuthServiceClient(client).login(request).sessionToken
        }
        return Customer(name: name, loop: loop, client: client, session: session)
    }

    var facts: Acknowledged { acknowledged.withLock { $0 } }

    /// Closes the connection.
    func leave() async { await client.close() }

    private var options: CallOptions {
        CallOptions(authorization: "Bearer \(session)", timeoutMilliseconds: 5_000)
    }

    /// Buys, pays and chats until cancelled; a failed step is repeated under the same key.
    func live() async {
        while !Task.isCancelled {
            let key = UUID().uuidString
            // The sandbox lists so many trades, by which payments are judged afterwards: on a fast
            // machine three customers would make more.
            let isListed = facts.orders.count < Limits.sandboxListRows / 4
            if isListed, let order = await order(key) {
                acknowledged.withLock { $0.orders[order.outTradeNumber] = order.orderId }
                _ = try? await loop.sandbox.pay(order.outTradeNumber, phone: name)
            }
            for _ in 0..<3 where !Task.isCancelled { await chat(UUID().uuidString) }
        }
    }

    private func order(_ key: String) async -> V1.Order? {
        for _ in 0..<40 where !Task.isCancelled {
            do {
                let request = V1.PlaceOrderRequest(productKey: "starter", idempotencyKey: key)
                let order = try await OrdersServiceClient(client)
                    .placeOrder(request, options: options).order
                if let order, !order.codeUrl.isEmpty { return order }
            } catch {
                acknowledged.withLock { $0.failures += 1 }
            }
            try? await Task.sleep(for: .milliseconds(40))
        }
        return nil
    }

    private func chat(_ id: String) async {
        do {
            let request = V1.AskRequest(
                model: "", turns: [V1.ChatTurn(role: "user", content: "hello")], maxTokens: 64,
                requestId: id)
            try await ChatServiceClient(client).ask(request, options: options) { events in
                for try await event in events {
                    if case .done(let done) = event.event, done.chargedMicroCredits > 0 {
                        acknowledged.withLock { $0.paidChats += 1 }
                    }
                }
            }
        } catch {
            acknowledged.withLock { $0.failures += 1 }
            try? await Task.sleep(for: .milliseconds(40))
        }
    }

    /// How an order stands now.
    func state(of orderID: String) async throws -> String {
        try await OrdersServiceClient(client)
            .getOrder(V1.GetOrderRequest(orderId: orderID), options: options).order?.state ?? ""
    }

    /// Every movement on the account.
    func ledger() async throws -> [V1.LedgerEntry] {
        var entries: [V1.LedgerEntry] = []
        var before: Int64 = 0
        repeat {
            let page = try await AccountsServiceClient(client).listLedger(
                V1.ListLedgerRequest(limit: 200, beforeSequence: before), options: options)
            entries += page.entries
            before = page.nextBeforeSequence
        } while before > 0
        return entries
    }
}
