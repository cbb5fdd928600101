internal import Foundation
internal import GRDB
internal import TollgateKernel

/// A notification and what became of it; a row of `notification`.
struct PendingNotification: Codable, Hashable, Sendable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "notification"

    /// What became of it.
    enum State: String, Codable, Hashable, Sendable {
        /// To be sent, or sent again.
        case pending
        /// The merchant said 200 or 204.
        case delivered
        /// A switch lost it.
        case lost
        /// The last repetition was refused too.
        case abandoned
    }

    enum CodingKeys: String, CodingKey {
        case id
        case outTradeNumber = "out_trade_no"
        case createdAt = "created_at"
        case state
        case attempts
        case nextAttemptAt = "next_attempt_at"
        case lastResult = "last_result"
    }

    var id: String
    var outTradeNumber: String
    var createdAt: Int64
    var state: State
    var attempts: Int
    var nextAttemptAt: Int64?
    var lastResult: String?

    /// The gaps between repetitions, in seconds, from WeChat's documentation.
    static let gapsSeconds: [Int64] = [
        15, 15, 30, 180, 600, 1_200, 1_800, 1_800, 1_800, 3_600, 10_800, 10_800, 10_800, 21_600,
        21_600,
    ]

    /// Notes an attempt; the next one is due after the schedule's gap.
    mutating func attempted(succeeded: Bool, result: String, now: Timestamp, scale: Double) {
        let gap = Self.gapsSeconds.indices.contains(attempts) ? Self.gapsSeconds[attempts] : nil
        attempts += 1
        lastResult = result
        nextAttemptAt = nil
        if succeeded {
            state = .delivered
        } else if let gap {
            nextAttemptAt = now.milliseconds + Int64((Double(gap) * 1_000 * scale).rounded(.up))
        } else {
            state = .abandoned
        }
    }
}

/// Which of the coming notifications are lost.
package struct NotificationLoss: Codable, Hashable, Sendable {
    /// Lose that many more.
    package var next: Int
    /// Lose all of them.
    package var all: Bool

    /// Makes a switch; by default nothing is lost.
    package init(next: Int = 0, all: Bool = false) {
        self.next = next
        self.all = all
    }
}

extension SandboxStore {
    /// Whether the notification of this transaction's payment is lost; counts it.
    static func takeLoss(_ database: Database) throws -> Bool {
        let text = try String.fetchOne(
            database, sql: "SELECT value FROM setting WHERE name = ?", arguments: [lossSetting])
        guard let text,
            var loss = try? JSONDecoder().decode(NotificationLoss.self, from: Data(text.utf8))
        else { return false }
        if loss.all { return true }
        guard loss.next > 0 else { return false }
        loss.next -= 1
        try database.execute(
            sql: "UPDATE setting SET value = ? WHERE name = ?",
            arguments: [
                String(decoding: try JSONEncoder().encode(loss), as: UTF8.self), lossSetting,
            ])
        return true
    }

    /// Pending notifications, the most urgent first.
    func pendingNotifications(limit: Int) async throws -> [PendingNotification] {
        try await database.read { database in
            try PendingNotification.fetchAll(
                database,
                sql: """
                    SELECT * FROM notification WHERE state = 'pending'
                    ORDER BY next_attempt_at LIMIT ?
                    """, arguments: [limit])
        }
    }

    /// The notifications of a trade, oldest first.
    func notifications(outTradeNumber: String) async throws -> [PendingNotification] {
        try await database.read { database in
            try PendingNotification.fetchAll(
                database, sql: "SELECT * FROM notification WHERE out_trade_no = ? ORDER BY rowid",
                arguments: [outTradeNumber])
        }
    }

    /// Stores what became of an attempt.
    func update(_ notification: PendingNotification) async throws {
        try await database.write { try notification.update($0) }
    }
}
