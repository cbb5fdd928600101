internal import Foundation
internal import GRDB
internal import TollgateKernel

/// A QR code of the account with a scene; a row of `scene_code`.
struct SceneCode: Codable, Hashable, Sendable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "scene_code"

    enum CodingKeys: String, CodingKey {
        case ticket
        case url
        case scene
        case expiresAt = "expires_at"
    }

    var ticket: String
    var url: String
    var scene: String
    /// In milliseconds since 1970; nil is for ever.
    var expiresAt: Int64?
}

/// What a request for a QR code asks for.
struct SceneCodeRequest: Hashable, Sendable {
    /// The scene, numbers as their digits.
    var scene: String
    /// How long the code lives; nil is for ever.
    var lifetimeSeconds: Int64?

    /// What WeChat gives a temporary code without a word on it.
    private static let usualLifetimeSeconds: Int64 = 60
    /// Thirty days.
    private static let longestLifetimeSeconds: Int64 = 2_592_000

    /// - Throws: 40052 for an unknown kind, 40053 for a scene of the wrong kind or size.
    init(_ body: JSONValue) throws(AccountRoutes.AccountError) {
        guard case .object = body else {
            throw AccountRoutes.AccountError(code: 47_001, message: "data format error")
        }
        guard let name = body["action_name"]?.stringValue, let kind = Kind(rawValue: name) else {
            throw AccountRoutes.AccountError(code: 40_052, message: "invalid action name")
        }
        guard let scene = kind.scene(body["action_info"]?["scene"]) else {
            throw AccountRoutes.AccountError(code: 40_053, message: "invalid action info")
        }
        self.scene = scene
        guard kind.isTemporary else { return }
        let asked = body["expire_seconds"]?.integerValue ?? Self.usualLifetimeSeconds
        lifetimeSeconds = min(max(asked, 1), Self.longestLifetimeSeconds)
    }

    private enum Kind: String {
        case number = "QR_SCENE"
        case text = "QR_STR_SCENE"
        case lastingNumber = "QR_LIMIT_SCENE"
        case lastingText = "QR_LIMIT_STR_SCENE"

        var isTemporary: Bool { self == .number || self == .text }

        func scene(_ value: JSONValue?) -> String? {
            switch self {
            case .text, .lastingText:
                guard let text = value?["scene_str"]?.stringValue,
                    (1...64).contains(text.utf8.count)
                else { return nil }
                return text
            case .number, .lastingNumber:
                let most: Int64 = self == .number ? Int64(UInt32.max) : 100_000
                guard let number = value?["scene_id"]?.integerValue, (1...most).contains(number)
                else { return nil }
                return String(number)
            }
        }
    }
}

extension SandboxStore {
    /// Keeps a QR code.
    func add(_ code: SceneCode) async throws {
        try await database.write { database in try code.insert(database) }
    }

    /// The QR code with this text or ticket.
    func sceneCode(_ urlOrTicket: String) async throws -> SceneCode? {
        try await database.read { database in
            try SceneCode.fetchOne(
                database, sql: "SELECT * FROM scene_code WHERE url = ? OR ticket = ?",
                arguments: [urlOrTicket, urlOrTicket])
        }
    }
}
