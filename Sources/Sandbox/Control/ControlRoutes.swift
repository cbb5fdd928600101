internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import TollgateKernel

/// The control interface: what a person does on the phone, and what a tester looks at or disturbs.
struct ControlRoutes: Sendable {
    let store: SandboxStore
    let provider: ModelProvider
    let account: OfficialAccount
    let notifications: NotificationSender
    let rules: TradeRules
    let appID: String

    /// The name under which the channel of `/openai/v1` is switched.
    static let defaultChannel = "default"

    /// Adds `/health`, the phone's page at `/` and everything under `/sandbox`.
    func add(to router: Router<SandboxContext>) {
        router.get("/health") { _, _ in Response.json(["status": "ok"]) }
        let local = router.group().add(middleware: LocalOnly())
        local.get("/") { request, _ in PhonePage.response(to: request) }
        addPhone(to: local.group("/sandbox"))
        addLists(to: local.group("/sandbox"))
        addSwitches(to: local.group("/sandbox"))
    }

    private func addPhone(to group: RouterGroup<SandboxContext>) {
        group.post("/follow") { request, _ in
            try await answer(request) { (body: ControlRequest.Follow) in
                try await account.perform(.subscribe(scene: body.scene), on: phone(body.phone))
            }
        }
        group.post("/unfollow") { request, _ in
            try await answer(request) { (body: ControlRequest.Leave) in
                try await account.perform(.unsubscribe, on: follower(body.phone))
            }
        }
        group.post("/scan") { request, _ in
            try await answer(request) { (body: ControlRequest.Scan) in
                try await scan(body.scene, with: phone(body.phone))
            }
        }
        group.post("/send") { request, _ in
            try await answer(request) { (body: ControlRequest.Send) in
                guard !body.text.isEmpty, body.text.utf8.count <= 2_048 else {
                    throw ControlRefusal(error: "a message has 1 to 2048 bytes")
                }
                return try await account.perform(.text(body.text), on: follower(body.phone))
            }
        }
        group.post("/pay") { request, _ in
            try await answer(request) { (body: ControlRequest.Pay) in
                let payer = try await phone(body.phone)
                do {
                    let trade = try await store.pay(
                        codeOrNumber: body.code, payer: payer.openID, by: rules)
                    notifications.wake()
                    return try await state(of: trade)
                } catch let refusal as PaymentRefusal {
                    throw ControlRefusal(error: refusal.reason, status: 409)
                }
            }
        }
    }

    private func addLists(to group: RouterGroup<SandboxContext>) {
        group.get("/phones") { _, _ in
            try await answer {
                try await store.phones().map {
                    PhoneState(name: $0.name, openID: $0.openID, isFollowing: $0.isFollowing)
                }
            }
        }
        group.get("/messages") { request, _ in
            try await answer {
                let name = request.uri.queryParameters["phone"].map(String.init) ?? ""
                let decoded = name.removingPercentEncoding ?? name
                return try await store.messages(ofPhone: decoded, appID: appID)
            }
        }
        group.get("/trades") { _, _ in
            try await answer {
                var states: [TradeState] = []
                for trade in try await store.trades() { states.append(try await state(of: trade)) }
                return states
            }
        }
        group.get("/calls") { _, _ in try await answer { provider.calls } }
    }

    private func addSwitches(to group: RouterGroup<SandboxContext>) {
        group.get("/switches") { _, _ in try await answer { try switches() } }
        group.post("/notification-loss") { request, _ in
            try await answer(request) { (body: NotificationLoss) in
                try await store.setSetting(SandboxStore.lossSetting, to: body)
                return try switches()
            }
        }
        group.post("/channels/:name") { request, context in
            try await answer(request) { (body: ChannelSwitches) in
                let given = context.parameters.get("name") ?? ""
                let name = given == Self.defaultChannel ? "" : given
                guard provider.channels[name] != nil else {
                    throw ControlRefusal(error: "no channel is called \(given)", status: 404)
                }
                guard body.arePossible else {
                    throw ControlRefusal(
                        error: "a channel fails with 400 to 599, and after 0 pieces or more")
                }
                try await provider.setSwitches(body, of: name)
                return try switches()
            }
        }
        group.post("/notify") { request, _ in
            try await answer(request) { (body: ControlRequest.Notify) in try await notify(body) }
        }
        group.post("/check-server") { request, _ in
            try await answer(request) { (_: ControlRequest.Empty) in
                ["isRight": try await account.checkServer()]
            }
        }
    }

    /// Scans a QR code by its text or its ticket, or one that was printed with a scene.
    private func scan(_ code: String, with phone: Phone) async throws -> PhoneOutcome {
        let made = try await store.sceneCode(code)
        if made == nil, code.hasPrefix("http") {
            throw ControlRefusal(error: "this is no QR code of the account", status: 404)
        }
        if let end = made?.expiresAt, end <= rules.clock.now().milliseconds {
            throw ControlRefusal(error: "the QR code has expired", status: 409)
        }
        let scene = made?.scene ?? code
        return try await account.perform(
            phone.isFollowing ? .scan(scene: scene) : .subscribe(scene: scene), on: phone,
            ticket: made?.ticket)
    }

    private func phone(_ name: String) async throws -> Phone {
        guard (1...64).contains(name.utf8.count) else {
            throw ControlRefusal(error: "a phone's name has 1 to 64 bytes")
        }
        return try await store.phone(name, appID: appID)
    }

    private func follower(_ name: String) async throws -> Phone {
        let phone = try await phone(name)
        guard phone.isFollowing else {
            throw ControlRefusal(error: "\(name) does not follow the account", status: 409)
        }
        return phone
    }

    private func state(of trade: Trade) async throws -> TradeState {
        let sent = try await store.notifications(outTradeNumber: trade.outTradeNumber)
        return TradeState(trade, notifications: sent)
    }

    private func switches() throws -> SandboxSwitches {
        let loss = try store.setting(SandboxStore.lossSetting, as: NotificationLoss.self)
        let channels = provider.allSwitches.map { name, switches in
            (name.isEmpty ? Self.defaultChannel : name, switches)
        }
        return SandboxSwitches(
            notificationLoss: loss ?? NotificationLoss(),
            channels: Dictionary(channels) { $1 })
    }

    /// Sends a paid trade's notification now, as often and as wrongly as asked.
    private func notify(_ body: ControlRequest.Notify) async throws -> [NotificationAnswer] {
        guard let trade = try await store.trade(outTradeNumber: body.outTradeNumber),
            let notification = try await store.notifications(
                outTradeNumber: body.outTradeNumber
            ).first
        else { throw ControlRefusal(error: "no such trade, or it is not paid", status: 404) }
        let changes = body.changes ?? NotificationChanges()
        let sender = notifications
        guard (1...100).contains(changes.copies) else {
            throw ControlRefusal(error: "1 to 100 copies")
        }
        do {
            return try await withThrowingTaskGroup(of: NotificationAnswer.self) { group in
                for _ in 0..<changes.copies {
                    group.addTask {
                        let answer = try await sender.send(
                            notification, of: trade, changes: changes)
                        return NotificationAnswer(
                            status: answer.status,
                            body: String(decoding: answer.body, as: UTF8.self))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        } catch let error as OutgoingHTTPError {
            throw ControlRefusal(error: error.description, status: 502)
        }
    }
}

extension ControlRoutes {
    private func answer<Body: Decodable>(
        _ request: Request, _ handler: (Body) async throws -> some Encodable
    ) async throws -> Response {
        try await answer {
            guard let type = request.headers[.contentType], type.hasPrefix("application/json")
            else { throw ControlRefusal(error: "the body must be application/json", status: 415) }
            let bytes = try await request.wholeBody()
            let body: Body
            do {
                body = try JSONDecoder().decode(Body.self, from: Data(bytes))
            } catch {
                throw ControlRefusal(error: "the body is not what is expected here: \(error)")
            }
            return try await handler(body)
        }
    }

    private func answer(_ handler: () async throws -> some Encodable) async throws -> Response {
        do {
            return try Self.response(try await handler(), status: 200)
        } catch let refusal as ControlRefusal {
            return try Self.response(refusal, status: refusal.status)
        }
    }

    private static func response(_ value: some Encodable, status: Int) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: .init(code: status), headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }
}

/// Refuses requests whose Host is not this machine, so that a page somewhere else cannot reach the
/// control interface through a name that resolves to it.
struct LocalOnly: RouterMiddleware {
    typealias Context = SandboxContext

    func handle(
        _ request: Request, context: SandboxContext,
        next: @concurrent (Request, SandboxContext) async throws -> Response
    ) async throws -> Response {
        var host = request.head.authority ?? ""
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            host = String(host[..<colon])
        }
        guard ["127.0.0.1", "localhost", "[::1]"].contains(host) else {
            return .json(["error": "only for this machine"], status: 403)
        }
        return try await next(request, context)
    }
}
