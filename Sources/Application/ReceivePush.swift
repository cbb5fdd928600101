internal import Accounts
internal import Auth
internal import Cryptography
internal import Metrics
package import TollgateKernel
internal import Weixin

/// The official account as an operator configured it.
package struct OfficialAccountIdentity: Sendable {
    /// How pushes come.
    package enum Mode: String, Hashable, Sendable {
        /// In clear, signed. The signature does not cover the body: prefer aes.
        case plain
        /// Sealed and signed; pushes in clear are refused.
        case aes
    }

    /// The account's appid.
    package var appID: String
    /// The account's own id, `gh_…`: what pushes are addressed to.
    package var originalID: String
    /// The secret that signs.
    package var token: String
    /// The key of aes mode, 43 characters.
    package var encodingAESKey: String
    /// The key before a rotation; pushes under it are still read.
    package var previousEncodingAESKey: String?
    /// How pushes come.
    package var mode: Mode

    /// Makes an identity.
    package init(
        appID: String, originalID: String, token: String, encodingAESKey: String,
        previousEncodingAESKey: String? = nil, mode: Mode
    ) {
        self.appID = appID
        self.originalID = originalID
        self.token = token
        self.encodingAESKey = encodingAESKey
        self.previousEncodingAESKey = previousEncodingAESKey
        self.mode = mode
    }
}

/// Answers the official account's callbacks: the server check and the pushes.
package struct ReceivePush: Sendable {
    /// What the web tier answers with.
    package struct Answer: Hashable, Sendable {
        /// The HTTP status.
        package var status: Int
        /// The content type.
        package var contentType: String
        /// The body.
        package var body: [UInt8]
    }

    private let ports: Ports
    private let account: OfficialAccountIdentity
    private let ciphers: [MessageCipher]

    /// Makes the use case.
    ///
    /// - Throws: `invalid_request` if a key has a wrong shape.
    package init(_ ports: Ports, account: OfficialAccountIdentity) throws(Failure) {
        self.ports = ports
        self.account = account
        var ciphers: [MessageCipher] = []
        for key in [account.encodingAESKey, account.previousEncodingAESKey ?? ""] where key != "" {
            ciphers.append(try MessageCipher(encodingAESKey: key, appID: account.appID))
        }
        guard account.mode == .plain || !ciphers.isEmpty else {
            throw Failure(.invalidRequest, "aes mode needs an EncodingAESKey.")
        }
        self.ciphers = ciphers
    }

    /// Answers one callback; a wrong or stale signature is answered 403, and nothing is done.
    package func receive(method: String, query: String, body: [UInt8]) async throws -> Answer {
        let query = CallbackQuery(query)
        do {
            try check(query)
            if method == "GET" { return Self.plain(query["echostr"]) }
            guard method == "POST" else {
                throw Failure(.invalidRequest, "A callback is a GET or a POST.")
            }
            let (message, isSealed) = try open(PushMessage(xml: body), query)
            let text = try await answer(message, signature: query["signature"])
            Self.count("answered")
            guard let text else { return Self.plain(PassiveReply.silence) }
            return try reply(text, to: message, isSealed: isSealed)
        } catch let failure as Failure where failure.code.httpStatus < 500 {
            Self.count("refused")
            return Answer(
                status: failure.code == .invalidRequest ? 400 : 403, contentType: "text/plain",
                body: Array(failure.message.utf8))
        }
    }

    // MARK: - What is believed

    private func check(_ query: CallbackQuery) throws(Failure) {
        guard
            CallbackSignature.isValid(
                query["signature"], token: account.token, timestamp: query["timestamp"],
                nonce: query["nonce"])
        else {
            throw Failure(.unauthenticated, "The signature is wrong.")
        }
        guard let seconds = Int64(query["timestamp"]),
            abs(seconds - ports.clock.now().seconds) * 1_000 <= Limits.pushFreshnessMilliseconds
        else {
            throw Failure(.unauthenticated, "The signature is too old, or a clock is wrong.")
        }
    }

    private func open(_ message: PushMessage, _ query: CallbackQuery) throws(Failure)
        -> (PushMessage, isSealed: Bool)
    {
        guard account.mode == .aes else { return (try addressed(message), false) }
        guard let sealed = message.sealed, query["encrypt_type"] == "aes",
            CallbackSignature.isValid(
                query["msg_signature"], token: account.token, timestamp: query["timestamp"],
                nonce: query["nonce"], sealed: sealed)
        else {
            throw Failure(.unauthenticated, "The message is not sealed, or its signature is wrong.")
        }
        var refusal = Failure(.unauthenticated, "The sealed message does not open.")
        for cipher in ciphers {
            do {
                return (try addressed(PushMessage(xml: cipher.open(sealed))), true)
            } catch {
                refusal = error
            }
        }
        throw refusal
    }

    private func addressed(_ message: PushMessage) throws(Failure) -> PushMessage {
        guard message.officialAccount == account.originalID else {
            throw Failure(.forbidden, "The message is for another official account.")
        }
        guard !message.openID.isEmpty, message.openID.utf8.count <= 128 else {
            throw Failure(.invalidRequest, "The message has no sender.")
        }
        return message
    }

    // MARK: - What is done

    /// Decides and records in one transaction; a repetition gets the same answer and does nothing.
    private func answer(_ message: PushMessage, signature: String) async throws -> String? {
        guard let name = message.deduplicationKey, name.utf8.count <= 256 else {
            throw Failure(.invalidRequest, "The message has no id.")
        }
        // An event's name holds its sender, and what is remembered of a push names nobody.
        let key = "push:\(Hexadecimal.encode(try ports.identityKey.pushDigest(name)))"
        let behaviour = PushBehaviour(message, keywords: ports.policy.loginKeywords)
        let now = ports.clock.now()
        let openID = message.openID
        let scene = message.scene.flatMap { LoginScene(text: $0) }
        let number = LoginAttempt.number(from: ports.random.number())
        let (push, device) = try await ports.store.write { [ports] tx in
            // In plain mode the signature does not cover the body: one signature carries one push.
            let use = ReceivedPush(
                key: "signature:\(signature)", answer: key, codeAttempt: 0, receivedAt: now)
            if let first = try tx.pushes.receivedPush(key: use.key) {
                guard first.answer == key else {
                    throw Failure(.unauthenticated, "The signature was used before.")
                }
            } else {
                try tx.pushes.insert(use)
            }
            let device = try scene.flatMap { try tx.loginAttempts.attempt(scene: $0) }?.device ?? ""
            if let known = try tx.pushes.receivedPush(key: key) { return (known, device) }
            var push = ReceivedPush(
                key: key, answer: behaviour.rawValue, codeAttempt: 0, receivedAt: now)
            let scans = AnswerScan(tx: tx, ports: ports, now: now)
            var answer: ScanAnswer?
            switch behaviour {
            case .welcome:
                try tx.pushes.setFollowing(openID: openID, true, at: now)
                answer = try scene.map { try scans.scan($0, by: openID, number: number) }
            case .farewell:
                try Self.leave(openID, tx, ports, now)
                try scans.leave(openID)
            case .scan: answer = try scene.map { try scans.scan($0, by: openID, number: number) }
            case .number:
                answer = try message.number.flatMap { try scans.reply($0, from: openID) }
            case .refusal: answer = try scans.decline(openID)
            case .loginCode: push.codeAttempt = try Self.draw(key, openID, tx, ports, now)
            case .hint, .silence: break
            }
            if let answer { push.answer = answer.rawValue }
            try tx.pushes.insert(push)
            return (push, device)
        }
        return try text(of: push, openID: openID, device: device)
    }

    /// A person follows no more: kept of who has an account, forgotten of who has none (any more).
    private static func leave(
        _ openID: String, _ tx: any Transaction, _ ports: Ports, _ now: Timestamp
    ) throws {
        let digest = try ports.identityKey.openIDDigest(openID)
        if try tx.accounts.account(openIDDigest: digest) == nil {
            try tx.pushes.forgetFollower(openID: openID)
        } else {
            try tx.pushes.setFollowing(openID: openID, false, at: now)
        }
    }

    /// Stores a login code for the person and returns which draw it was.
    private static func draw(
        _ key: String, _ openID: String, _ tx: any Transaction, _ ports: Ports, _ now: Timestamp
    ) throws -> Int64 {
        for attempt in 0..<Limits.loginCodeDraws {
            let text = try ports.identityKey.deriveLoginCode(
                pushKey: key, openID: openID, attempt: attempt)
            let code = LoginCode(
                digest: try ports.identityKey.loginCodeDigest(text), openID: openID,
                expiresAt: now.adding(milliseconds: Limits.loginCodeMilliseconds))
            if try tx.auth.insert(code, now: now) { return attempt }
        }
        throw Failure(.internalError, "No free login code was found.")
    }

    private func text(of push: ReceivedPush, openID: String, device: String) throws -> String? {
        if let scan = ScanAnswer(rawValue: push.answer) { return scan.text(device: device) }
        let keyword = ports.policy.loginKeywords.contains("登录") ? "登录" : "login"
        switch PushBehaviour(rawValue: push.answer) {
        case .welcome:
            return "欢迎关注！发送「\(keyword)」获取登录码，就可以开始对话。"
                + "\nWelcome! Send “\(keyword)” to get a login code."
        case .hint, .number, .refusal:
            return "发送「\(keyword)」获取登录码。\nSend “\(keyword)” to get a login code."
        case .loginCode:
            let code = try ports.identityKey.deriveLoginCode(
                pushKey: push.key, openID: openID, attempt: push.codeAttempt)
            return "您的登录码：\(code.printed)，3 分钟内有效，只能用一次。"
                + "\nYour login code: \(code.printed) (3 minutes, works once)."
        case .silence, .scan, .farewell, nil: return nil
        }
    }

    // MARK: - What is answered

    private func reply(_ text: String, to message: PushMessage, isSealed: Bool) throws -> Answer {
        let now = ports.clock.now()
        let xml = PassiveReply.text(
            text, to: message.openID, from: message.officialAccount, createdAtSeconds: now.seconds)
        guard isSealed, let cipher = ciphers.first else { return Self.xml(xml) }
        let sealed = try cipher.seal(Array(xml.utf8), random: ports.random.bytes(16))
        let timestamp = String(now.seconds)
        let nonce = String(ports.random.number() % 1_000_000_000_000)
        return Self.xml(
            PassiveReply.sealed(
                sealed,
                signature: try CallbackSignature.make(
                    token: account.token, timestamp: timestamp, nonce: nonce, sealed: sealed),
                timestamp: timestamp, nonce: nonce))
    }

    private static func plain(_ text: String) -> Answer {
        Answer(status: 200, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    private static func xml(_ text: String) -> Answer {
        Answer(status: 200, contentType: "application/xml; charset=utf-8", body: Array(text.utf8))
    }

    private static func count(_ outcome: String) {
        Counter(label: "tollgate_pushes_total", dimensions: [("outcome", outcome)]).increment()
    }
}

/// The query of a callback, percent-decoded; a name that comes twice counts as absent.
struct CallbackQuery {
    private var values: [String: String] = [:]

    init(_ text: String) {
        var repeated: Set<String> = []
        for part in text.split(separator: "&").prefix(64) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(pair[0]), pair.count == 2,
                let value = Self.decode(pair[1])
            else { continue }
            if values.updateValue(value, forKey: name) != nil { repeated.insert(name) }
        }
        for name in repeated { values[name] = nil }
    }

    /// The value of a name; empty if it is absent.
    subscript(name: String) -> String { values[name] ?? "" }

    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard rest.count >= 2,
                    let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+"): bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
