internal import Cryptography
internal import GRDB
internal import TollgateKernel

/// A person's phone; a row of `phone`.
struct Phone: Codable, Hashable, Sendable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "phone"

    enum CodingKeys: String, CodingKey {
        case openID = "openid"
        case name
        case isFollowing = "is_following"
    }

    var openID: String
    var name: String
    var isFollowing: Bool

    /// The openid of a name at an account: 28 characters, always the same.
    static func openID(of name: String, appID: String) throws(CryptographyError) -> String {
        let digest = Base64.encode(try SHA256.hash("\(appID)\n\(name)"))
        let characters = digest.map { character -> Character in
            switch character {
            case "+": "-"
            case "/": "_"
            default: character
            }
        }
        return "o" + String(characters.prefix(27))
    }
}

/// A line that a phone shows.
package struct PhoneMessage: Codable, Hashable, Sendable {
    /// Who said it, and how.
    package enum Kind: String, Codable, Hashable, Sendable {
        /// The person.
        case sent
        /// The account, in answer to a push.
        case reply
        /// The account, by a template message.
        case template
        /// WeChat: following, leaving, scanning.
        case event
        /// WeChat: the account's server is silent or speaks nonsense.
        case fault
    }

    /// Counts up over all phones.
    package var number: Int64
    /// Who said it.
    package var kind: Kind
    /// What was said.
    package var text: String
    /// When, in milliseconds since 1970.
    package var atMilliseconds: Int64
}

extension SandboxStore {
    /// The phone of that name or openid, made if it is new.
    func phone(_ nameOrOpenID: String, appID: String) async throws -> Phone {
        let openID = try Phone.openID(of: nameOrOpenID, appID: appID)
        return try await database.write { database in
            if let known = try Phone.fetchOne(database, key: nameOrOpenID) { return known }
            if let known = try Phone.fetchOne(database, key: openID) { return known }
            let phone = Phone(openID: openID, name: nameOrOpenID, isFollowing: false)
            try phone.insert(database)
            return phone
        }
    }

    /// Every phone.
    func phones() async throws -> [Phone] {
        try await database.read { database in
            try Phone.fetchAll(database, sql: "SELECT * FROM phone ORDER BY name")
        }
    }

    /// The phone of an openid, if there is one.
    func phone(openID: String) async throws -> Phone? {
        try await database.read { try Phone.fetchOne($0, key: openID) }
    }

    /// Notes that a person follows the account or left it.
    func setFollowing(_ isFollowing: Bool, _ phone: Phone) async throws {
        try await database.write { database in
            try database.execute(
                sql: "UPDATE phone SET is_following = ? WHERE openid = ?",
                arguments: [isFollowing, phone.openID])
        }
    }

    /// Adds a line to a phone.
    func addMessage(
        _ kind: PhoneMessage.Kind, _ text: String, to openID: String, at moment: Timestamp
    ) async throws {
        try await database.write { database in
            try database.execute(
                sql: "INSERT INTO message (openid, kind, text, at) VALUES (?, ?, ?, ?)",
                arguments: [openID, kind.rawValue, text, moment.milliseconds])
        }
    }

    /// The last lines of a phone, named or by its openid, oldest first; none if it is unknown.
    func messages(ofPhone nameOrOpenID: String, appID: String) async throws -> [PhoneMessage] {
        let named = try Phone.openID(of: nameOrOpenID, appID: appID)
        return try await database.read { database in
            let openID =
                try Phone.exists(database, key: nameOrOpenID) ? nameOrOpenID : named
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT number, kind, text, at FROM message
                    WHERE openid = ? ORDER BY number DESC LIMIT ?
                    """, arguments: [openID, Limits.sandboxListRows])
            return rows.reversed().compactMap { row in
                PhoneMessage.Kind(rawValue: row["kind"]).map {
                    PhoneMessage(
                        number: row["number"], kind: $0, text: row["text"],
                        atMilliseconds: row["at"])
                }
            }
        }
    }
}
