package import TollgateKernel
package import Weixin

/// What the official account's interface needs of us; prints no secret.
package struct OfficialAccountConfiguration: Sendable, CustomStringConvertible,
    CustomDebugStringConvertible
{
    /// Such as `https://api.weixin.qq.com`, without a slash at its end.
    package var baseURL: String
    /// The account's appid.
    package var appID: String
    /// The account's secret.
    package var appSecret: String
    /// How long one call may take.
    package var timeouts: TransferTimeouts

    /// Makes a configuration.
    package init(
        baseURL: String, appID: String, appSecret: String,
        timeouts: TransferTimeouts = TransferTimeouts()
    ) {
        self.baseURL = baseURL
        self.appID = appID
        self.appSecret = appSecret
        self.timeouts = timeouts
    }

    package var description: String { "OfficialAccountConfiguration(\(appID) at \(baseURL))" }
    package var debugDescription: String { description }
}

/// Sends through the official account, and makes its QR codes (payments reference, section 1.9).
///
/// The access token is the stable one, which WeChat repeats to every machine that asks, so nobody
/// kills another's. Errors come in answers of status 200.
package struct OfficialAccount: OfficialAccountGateway {
    private let configuration: OfficialAccountConfiguration
    private let transfers: HTTPTransfers
    private let clock: any WallClock
    private let tokens = AccessTokens()

    /// Makes a gateway; copies share one token.
    package init(
        configuration: OfficialAccountConfiguration, transfers: HTTPTransfers,
        clock: any WallClock
    ) {
        self.configuration = configuration
        self.transfers = transfers
        self.clock = clock
    }

    package func send(_ message: TemplateMessage) async throws(OfficialAccountFailure) {
        guard (1...32).contains(message.clientMessageID.utf8.count) else {
            throw OfficialAccountFailure(.final, message: "A message id has 1 to 32 bytes")
        }
        let body = Self.body(of: message)
        _ = try await callWithToken("/cgi-bin/message/template/send", body)
    }

    package func makeCode(scene: String, lifetimeSeconds: Int64)
        async throws(OfficialAccountFailure) -> SceneCode
    {
        guard (1...Limits.sceneBytes).contains(scene.utf8.count),
            (1...Limits.sceneCodeSeconds).contains(lifetimeSeconds)
        else {
            throw OfficialAccountFailure(
                .final, message: "A scene has 1 to 64 bytes, its code 30 days at most")
        }
        let body: JSONValue = [
            "expire_seconds": .integer(lifetimeSeconds), "action_name": "QR_STR_SCENE",
            "action_info": ["scene": ["scene_str": .string(scene)]],
        ]
        let answer = try await callWithToken("/cgi-bin/qrcode/create", body.encoded())
        guard let ticket = answer["ticket"]?.text, (1...512).contains(ticket.utf8.count),
            let url = answer["url"]?.text, url.hasPrefix("http"),
            (1...512).contains(url.utf8.count),
            let seconds = answer["expire_seconds"]?.integer, seconds > 0
        else {
            throw OfficialAccountFailure(.temporary, message: "WeChat answered with no QR code")
        }
        return SceneCode(ticket: ticket, url: url, lifetimeSeconds: seconds)
    }

    // MARK: The access token

    private static let tokenErrors: Set<Int> = [40_001, 40_014, 42_001]

    /// Posts with the present token, and once more with another if WeChat refuses that one.
    private func callWithToken(_ path: String, _ body: [UInt8])
        async throws(OfficialAccountFailure) -> JSONValue
    {
        func attempt(_ token: String) async throws(OfficialAccountFailure) -> JSONValue {
            try await call("\(path)?access_token=\(percentEncoded(token))", body)
        }
        let first = try await token(unlike: nil)
        do throws(OfficialAccountFailure) {
            return try await attempt(first)
        } catch {
            // Another holder killed the token: fetch once more, whoever of us notices first.
            guard let code = error.remoteCode, Self.tokenErrors.contains(code) else { throw error }
            return try await attempt(try await token(unlike: first))
        }
    }

    private func token(unlike rejected: String?) async throws(OfficialAccountFailure) -> String {
        do {
            return try await tokens.token(unlike: rejected, now: clock.now()) {
                let token = try await fetchToken(isForced: false)
                // WeChat repeats a token it has just refused only if it is told that it is bad.
                guard token.text == rejected else { return token }
                return try await fetchToken(isForced: true)
            }.text
        } catch let failure as OfficialAccountFailure {
            throw failure
        } catch {
            throw OfficialAccountFailure(.temporary, message: "Cancelled by the caller")
        }
    }

    private func fetchToken(isForced: Bool) async throws(OfficialAccountFailure)
        -> AccessTokens.Token
    {
        let body: JSONValue = [
            "grant_type": "client_credential", "appid": .string(configuration.appID),
            "secret": .string(configuration.appSecret), "force_refresh": .boolean(isForced),
        ]
        let answer = try await call("/cgi-bin/stable_token", body.encoded())
        guard let text = answer["access_token"]?.text, (1...512).contains(text.utf8.count),
            let seconds = answer["expires_in"]?.integer, seconds > 0
        else {
            throw OfficialAccountFailure(.temporary, message: "WeChat answered with no token")
        }
        // The stable token changes in its last 5 minutes; a short one is used for half its life.
        let life = min(seconds, Limits.accessTokenSeconds)
        let lead = min(Limits.accessTokenLeadSeconds, life / 2)
        return AccessTokens.Token(
            text: text, refreshAt: clock.now().adding(milliseconds: (life - lead) * 1_000))
    }

    // MARK: Calls

    /// Posts JSON; the answer is an object without an error in it.
    private func call(_ path: String, _ body: [UInt8]) async throws(OfficialAccountFailure)
        -> JSONValue
    {
        let answer: OutgoingResponse
        do {
            answer = try await transfers.perform(
                OutgoingRequest(
                    .post, url: configuration.baseURL + path,
                    headers: [("Content-Type", "application/json")], body: body,
                    timeouts: configuration.timeouts))
        } catch let failure as TransferFailure {
            throw OfficialAccountFailure(
                failure.kind == .invalidRequest ? .misconfigured : .temporary,
                message: failure.message)
        } catch {
            throw OfficialAccountFailure(.temporary, message: "Cancelled by the caller")
        }
        guard answer.head.status == 200 else {
            throw OfficialAccountFailure(
                .temporary, message: "WeChat answered with status \(answer.head.status)")
        }
        guard let json = try? JSONValue(parsing: answer.body), case .object = json else {
            throw OfficialAccountFailure(.temporary, message: "WeChat answered with no JSON")
        }
        // Success has no errcode, or the errcode 0.
        guard let code = json["errcode"], code != .integer(0) else { return json }
        let number = code.integer.flatMap { Int(exactly: $0) }
        throw OfficialAccountFailure(
            Self.kind(of: number), remoteCode: number,
            message: "WeChat refused with errcode \(number.map { String($0) } ?? "?")")
    }

    private static func kind(of code: Int?) -> OfficialAccountFailure.Kind {
        switch code {
        // Busy, quota, rate; a token that was refused twice may be right in a while.
        case -1, 45_009, 45_011, 40_001, 40_014, 42_001: .temporary
        // Appid, secret, list of addresses, rights of the account.
        case 40_013, 40_125, 40_164, 48_001, 50_002, 61_024: .misconfigured
        default: .final
        }
    }

    private static func body(of message: TemplateMessage) -> [UInt8] {
        // Sorted, so that the same message is always the same bytes.
        let values = message.values.sorted { $0.key < $1.key }.map { name, text in
            JSONValue.Member(name: name, value: ["value": .string(text)])
        }
        let body: JSONValue = [
            "touser": .string(message.openID), "template_id": .string(message.templateID),
            "client_msg_id": .string(message.clientMessageID), "data": .object(values),
        ]
        return body.encoded()
    }
}
