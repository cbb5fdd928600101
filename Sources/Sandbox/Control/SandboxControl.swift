internal import Foundation
internal import TollgateKernel

/// Why the sandbox did not do what was asked.
package struct SandboxControlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status; nil if there was no answer.
    package var status: Int?
    /// A sentence for a person.
    package var message: String

    package var description: String { message }
}

/// Drives a running sandbox over its control interface: for the command line and for tests.
package struct SandboxControl: Sendable {
    private let baseURL: String
    private let timeoutMilliseconds: Int64

    /// Names a sandbox.
    ///
    /// - Parameters:
    ///   - baseURL: such as `http://127.0.0.1:7490`, without a slash at its end.
    ///   - timeoutMilliseconds: a push that is sent three times takes 15 s.
    package init(baseURL: String, timeoutMilliseconds: Int64 = 20_000) {
        self.baseURL = baseURL
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// Follows the account, by a QR code with a scene if one is given.
    package func follow(phone: String, scene: String? = nil) async throws -> PhoneOutcome {
        try await post("follow", ControlRequest.Follow(phone: phone, scene: scene))
    }

    /// Stops following.
    package func unfollow(phone: String) async throws -> PhoneOutcome {
        try await post("unfollow", ControlRequest.Leave(phone: phone))
    }

    /// Scans the account's QR code, by its text, its ticket or its scene; follows the account if
    /// need be.
    package func scan(phone: String, scene: String) async throws -> PhoneOutcome {
        try await post("scan", ControlRequest.Scan(phone: phone, scene: scene))
    }

    /// Sends a text to the account; refused unless the person follows it.
    package func send(_ text: String, phone: String) async throws -> PhoneOutcome {
        try await post("send", ControlRequest.Send(phone: phone, text: text))
    }

    /// Pays a trade by its `code_url`, as a camera would, or by its out_trade_no.
    package func pay(_ codeOrNumber: String, phone: String) async throws -> TradeState {
        try await post("pay", ControlRequest.Pay(phone: phone, code: codeOrNumber))
    }

    /// What a phone shows, oldest first.
    package func messages(phone: String) async throws -> [PhoneMessage] {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_."))
        let name = phone.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
        return try await call("GET", "messages?phone=\(name)")
    }

    /// Every phone that was ever used.
    package func phones() async throws -> [PhoneState] { try await call("GET", "phones") }

    /// Every trade, newest first.
    package func trades() async throws -> [TradeState] { try await call("GET", "trades") }

    /// The last calls of the model provider, oldest first.
    package func modelCalls() async throws -> [ModelCall] { try await call("GET", "calls") }

    /// Every switch.
    package func switches() async throws -> SandboxSwitches { try await call("GET", "switches") }

    /// Says which of the coming payments' notifications are lost.
    @discardableResult
    package func setNotificationLoss(_ loss: NotificationLoss) async throws -> SandboxSwitches {
        try await post("notification-loss", loss)
    }

    /// Says how a model channel behaves; `/openai/v1` is called `default`.
    @discardableResult
    package func setChannel(_ name: String, _ switches: ChannelSwitches) async throws
        -> SandboxSwitches
    {
        try await post("channels/\(name.isEmpty ? ControlRoutes.defaultChannel : name)", switches)
    }

    /// Sends a paid trade's notification once more, now; the answers are the merchant's.
    package func notify(
        outTradeNumber: String, changes: NotificationChanges = NotificationChanges()
    ) async throws -> [NotificationAnswer] {
        try await post(
            "notify", ControlRequest.Notify(outTradeNumber: outTradeNumber, changes: changes))
    }

    /// Does what WeChat does when a callback address is configured; whether the answer was right.
    package func checkServer() async throws -> Bool {
        let answer: [String: Bool] = try await post("check-server", ControlRequest.Empty())
        return answer["isRight"] == true
    }

    private func post<Answer: Decodable>(_ path: String, _ body: some Encodable) async throws
        -> Answer
    {
        try await call("POST", path, body: Array(try JSONEncoder().encode(body)))
    }

    private func call<Answer: Decodable>(_ method: String, _ path: String, body: [UInt8] = [])
        async throws -> Answer
    {
        let response: OutgoingResponse
        do {
            response = try await OutgoingHTTP.send(
                OutgoingRequest(
                    method: method, url: "\(baseURL)/sandbox/\(path)",
                    headers: body.isEmpty ? [] : [("Content-Type", "application/json")],
                    body: body),
                timeoutMilliseconds: timeoutMilliseconds)
        } catch let error as OutgoingHTTPError {
            throw SandboxControlError(message: sentence(error))
        }
        guard response.status == 200 else {
            let refusal = try? JSONDecoder().decode(
                ControlRefusal.self, from: Data(response.body))
            guard let refusal else { throw stranger }
            throw SandboxControlError(status: response.status, message: refusal.error)
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else {
            throw stranger
        }
        return answer
    }

    private func sentence(_ error: OutgoingHTTPError) -> String {
        switch error {
        case .unreachable: "There is no sandbox at \(baseURL)."
        case .timedOut: "The sandbox at \(baseURL) did not answer in time."
        case .unsuitableAddress: "\(baseURL) is no address of a sandbox."
        }
    }

    /// Somebody answers there, and not as a sandbox does.
    private var stranger: SandboxControlError {
        SandboxControlError(message: "What listens at \(baseURL) is no sandbox.")
    }
}
