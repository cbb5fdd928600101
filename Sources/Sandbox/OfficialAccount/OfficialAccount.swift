internal import Cryptography
internal import Foundation
internal import TollgateKernel

/// The official account at WeChat: its followers' actions become pushes to the configured address,
/// and what is answered becomes what the phone shows.
struct OfficialAccount: Sendable {
    let store: SandboxStore
    let sealing: MessageSealing
    let originalID: String
    let configuration: SandboxConfiguration.Account
    let clock: any WallClock
    let random: any RandomSource

    /// What a person sees when the account's server is silent or says something unfit.
    static let faultText = "该公众号提供的服务出现故障，请稍后再试"
    /// WeChat sends a push three times in all.
    private static let attempts = 3

    /// Tells the account's server of an action and waits for what it says.
    ///
    /// - Parameter ticket: the ticket of the QR code that was scanned; nil makes one up.
    func perform(
        _ action: PhoneAction, on phone: Phone, ticket: String? = nil
    ) async throws -> PhoneOutcome {
        let push = Push(
            action: action, openID: phone.openID, originalID: originalID,
            createdSeconds: clock.now().seconds,
            messageID: Int64(random.number() >> 2), ticket: ticket ?? "gQ" + random.letters(64))
        try await record(action, phone)
        let (reply, attempts) = try await deliver(push)
        var outcome = PhoneOutcome(openID: phone.openID, attempts: attempts)
        switch reply {
        case .nothing: break
        case .text(let text):
            outcome.reply = text
            try await store.addMessage(.reply, text, to: phone.openID, at: clock.now())
        case .fault(let reason):
            outcome.fault = reason
            // Nobody is told anything after leaving.
            if action != .unsubscribe {
                try await store.addMessage(
                    .fault, Self.faultText, to: phone.openID, at: clock.now())
            }
        }
        return outcome
    }

    /// What WeChat does when the callback address is configured: a GET with an echo string.
    func checkServer() async throws -> Bool {
        let echo = random.digits(19)
        let answer = try await OutgoingHTTP.send(
            OutgoingRequest(
                method: "GET", url: try address(openID: nil, sealed: nil) + "&echostr=\(echo)"),
            timeoutMilliseconds: configuration.answerTimeoutMilliseconds)
        return answer.status == 200 && answer.body == Array(echo.utf8)
    }

    private func record(_ action: PhoneAction, _ phone: Phone) async throws {
        let now = clock.now()
        switch action {
        case .subscribe(let scene):
            try await store.setFollowing(true, phone)
            let how = scene.map { " (scene \($0))" } ?? ""
            try await store.addMessage(.event, "subscribe" + how, to: phone.openID, at: now)
        case .unsubscribe:
            try await store.setFollowing(false, phone)
            try await store.addMessage(.event, "unsubscribe", to: phone.openID, at: now)
        case .scan(let scene):
            try await store.addMessage(.event, "scan (scene \(scene))", to: phone.openID, at: now)
        case .text(let text):
            try await store.addMessage(.sent, text, to: phone.openID, at: now)
        }
    }

    private func deliver(_ push: Push) async throws -> (PassiveReply, attempts: Int) {
        var reason = ""
        for attempt in 1...Self.attempts {
            do {
                let answer = try await send(push)
                if answer.status == 200 {
                    let sealing = configuration.mode == .aes ? sealing : nil
                    return (PassiveReply(body: answer.body, to: push, sealing: sealing), attempt)
                }
                reason = "HTTP \(answer.status)"
                if answer.status < 500 { return (.fault(reason), attempt) }
            } catch let error as OutgoingHTTPError {
                reason = error.description
            }
        }
        return (.fault(reason), Self.attempts)
    }

    private func send(_ push: Push) async throws -> OutgoingResponse {
        var body = push.xml
        var sealed: String?
        if configuration.mode == .aes {
            let text = try sealing.seal(body)
            sealed = text
            body = FlatXML.document(
                FlatXML.text("ToUserName", originalID), FlatXML.text("Encrypt", text))
        }
        return try await OutgoingHTTP.send(
            OutgoingRequest(
                url: try address(openID: push.openID, sealed: sealed),
                headers: [
                    ("Content-Type", "text/xml"), ("Accept", "*/*"), ("User-Agent", "Mozilla/4.0"),
                ], body: Array(body.utf8)),
            timeoutMilliseconds: configuration.answerTimeoutMilliseconds)
    }

    /// The callback address with its signed query.
    private func address(openID: String?, sealed: String?) throws -> String {
        let timestamp = String(clock.now().seconds)
        let nonce = random.digits(9)
        let signature = try sealing.signature(timestamp, nonce)
        var query = "signature=\(signature)&timestamp=\(timestamp)&nonce=\(nonce)"
        if let openID { query += "&openid=\(openID)" }
        if let sealed {
            let sealedSignature = try sealing.signature(timestamp, nonce, sealed)
            query += "&encrypt_type=aes&msg_signature=\(sealedSignature)"
        }
        let separator = configuration.callbackURL.contains("?") ? "&" : "?"
        return configuration.callbackURL + separator + query
    }
}
