internal import Foundation
internal import GRDB
internal import Hummingbird
internal import TollgateKernel

/// The official account's interface for its owner: access tokens, template messages, QR codes.
struct AccountRoutes: Sendable {
    let store: SandboxStore
    let appID: String
    let appSecret: String
    let clock: any WallClock
    let random: any RandomSource

    /// A token lives two hours.
    private static let tokenLifeSeconds: Int64 = 7_200
    /// An old token works on for so long; a stable one is renewed so long before its end.
    private static let overlapSeconds: Int64 = 300

    /// An `errcode` of the official account; always HTTP 200.
    struct AccountError: Error, Hashable, Sendable {
        var code: Int64
        var message: String

        var body: JSONValue { ["errcode": .integer(code), "errmsg": .string(message)] }
    }

    /// Adds every route under `/cgi-bin`.
    func add(to router: Router<SandboxContext>) {
        router.get("/cgi-bin/token") { request, _ in
            let query = request.uri.queryParameters
            return try await answer {
                try check(
                    grant: query["grant_type"].map(String.init), "client_credential",
                    appID: query["appid"].map(String.init),
                    secret: query["secret"].map(String.init))
                return try await plainToken()
            }
        }
        router.post("/cgi-bin/stable_token") { request, _ in
            let body = try await json(request)
            return try await answer {
                try check(
                    grant: body["grant_type"]?.stringValue, "client_credential",
                    appID: body["appid"]?.stringValue, secret: body["secret"]?.stringValue)
                return try await stableToken(isForced: body["force_refresh"] == true)
            }
        }
        router.post("/cgi-bin/message/template/send") { request, _ in
            let body = try await json(request)
            let token = request.uri.queryParameters["access_token"].map(String.init)
            return try await answer {
                try await checkToken(token)
                return try await sendTemplate(body)
            }
        }
        router.post("/cgi-bin/qrcode/create") { request, _ in
            let body = try await json(request)
            let token = request.uri.queryParameters["access_token"].map(String.init)
            return try await answer {
                try await checkToken(token)
                return try await makeCode(SceneCodeRequest(body))
            }
        }
    }

    private func makeCode(_ asked: SceneCodeRequest) async throws -> JSONValue {
        let now = clock.now()
        let code = SceneCode(
            ticket: "gQ" + random.letters(94), url: "http://weixin.qq.com/q/" + random.letters(22),
            scene: asked.scene,
            expiresAt: asked.lifetimeSeconds.map { now.milliseconds + $0 * 1_000 })
        try await store.add(code)
        var members: [JSONValue.Member] = [.init(name: "ticket", value: .string(code.ticket))]
        if let seconds = asked.lifetimeSeconds {
            members.append(.init(name: "expire_seconds", value: .integer(seconds)))
        }
        members.append(.init(name: "url", value: .string(code.url)))
        return .object(members)
    }

    private func answer(_ body: () async throws -> JSONValue) async throws -> Response {
        do {
            return .json(try await body())
        } catch let error as AccountError {
            return .json(error.body)
        }
    }

    private func json(_ request: Request) async throws -> JSONValue {
        JSONValue(parsing: try await request.wholeBody()) ?? .null
    }

    private func check(grant: String?, _ wanted: String, appID: String?, secret: String?)
        throws(AccountError)
    {
        guard grant == wanted else {
            throw AccountError(code: 40_002, message: "invalid grant_type")
        }
        guard appID == self.appID else {
            throw AccountError(code: 40_013, message: "invalid appid")
        }
        guard secret == appSecret else {
            throw AccountError(code: 40_125, message: "invalid appsecret")
        }
    }

    /// A new token; the one before it works for five more minutes.
    private func plainToken() async throws -> JSONValue {
        let token = random.letters(136)
        let now = clock.now().seconds
        try await store.database.write { database in
            try database.execute(
                sql: """
                    UPDATE access_token SET expires_at = min(expires_at, ?) WHERE kind = 'plain'
                    """, arguments: [now + Self.overlapSeconds])
            try Self.insert(token, "plain", expiresAt: now + Self.tokenLifeSeconds, database)
        }
        return ["access_token": .string(token), "expires_in": .integer(Self.tokenLifeSeconds)]
    }

    /// The same token until its last five minutes, unless a new one is forced.
    private func stableToken(isForced: Bool) async throws -> JSONValue {
        let fresh = random.letters(136)
        let now = clock.now().seconds
        let (token, expiresAt) = try await store.database.write { database in
            let known = try Row.fetchOne(
                database,
                sql: """
                    SELECT token, expires_at FROM access_token
                    WHERE kind = 'stable' AND expires_at > ? ORDER BY expires_at DESC
                    """, arguments: [now + Self.overlapSeconds])
            if let known, !isForced {
                return (known["token"] as String, known["expires_at"] as Int64)
            }
            if isForced {
                try database.execute(sql: "DELETE FROM access_token WHERE kind = 'stable'")
            }
            let end = now + Self.tokenLifeSeconds
            try Self.insert(fresh, "stable", expiresAt: end, database)
            return (fresh, end)
        }
        return ["access_token": .string(token), "expires_in": .integer(expiresAt - now)]
    }

    private static func insert(
        _ token: String, _ kind: String, expiresAt: Int64, _ database: Database
    ) throws {
        try database.execute(
            sql: "INSERT INTO access_token (token, kind, expires_at) VALUES (?, ?, ?)",
            arguments: [token, kind, expiresAt])
    }

    private func checkToken(_ token: String?) async throws {
        let now = clock.now().seconds
        let end = try await store.database.read { database in
            try Int64.fetchOne(
                database, sql: "SELECT expires_at FROM access_token WHERE token = ?",
                arguments: [token])
        }
        guard let end else {
            throw AccountError(
                code: 40_001, message: "invalid credential, access_token is invalid or not latest")
        }
        guard now < end else { throw AccountError(code: 42_001, message: "access_token expired") }
    }

    private func sendTemplate(_ body: JSONValue) async throws -> JSONValue {
        guard case .object = body, case .object(let values) = body["data"] else {
            throw AccountError(code: 47_001, message: "data format error")
        }
        guard let templateID = body["template_id"]?.stringValue, !templateID.isEmpty else {
            throw AccountError(code: 40_037, message: "invalid template_id")
        }
        guard let openID = body["touser"]?.stringValue,
            let phone = try await store.phone(openID: openID)
        else { throw AccountError(code: 40_003, message: "invalid openid") }
        guard phone.isFollowing else {
            throw AccountError(code: 43_004, message: "require subscribe")
        }
        let clientID = body["client_msg_id"]?.stringValue
        guard (clientID?.utf8.count ?? 0) <= 32 else {
            throw AccountError(code: 40_035, message: "client_msg_id is longer than 32")
        }
        let text = values.map { "\($0.name): \($0.value["value"]?.stringValue ?? "")" }
        let number = try await store.addTemplateMessage(
            openID: openID, clientMessageID: clientID,
            text: ([templateID] + text).joined(separator: "\n"), at: clock.now())
        return ["errcode": 0, "errmsg": "ok", "msgid": .integer(number)]
    }
}

extension SandboxStore {
    /// Shows a template message once for each client message id; the answer is its number.
    func addTemplateMessage(
        openID: String, clientMessageID: String?, text: String, at moment: Timestamp
    ) async throws -> Int64 {
        try await database.write { database in
            if let clientMessageID {
                let known = try Int64.fetchOne(
                    database,
                    sql: """
                        SELECT msgid FROM template_message
                        WHERE openid = ? AND client_msg_id = ?
                        """, arguments: [openID, clientMessageID])
                if let known { return known }
            }
            try database.execute(
                sql: "INSERT INTO template_message (openid, client_msg_id) VALUES (?, ?)",
                arguments: [openID, clientMessageID])
            let number = database.lastInsertedRowID
            try database.execute(
                sql: "INSERT INTO message (openid, kind, text, at) VALUES (?, 'template', ?, ?)",
                arguments: [openID, text, moment.milliseconds])
            return number
        }
    }
}
