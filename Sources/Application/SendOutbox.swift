internal import Accounts
package import Operations
internal import TollgateKernel
package import Weixin

/// Sends the messages that transactions left behind.
package struct SendOutbox: Sendable {
    /// What became of one message.
    package enum Outcome: String, Hashable, Sendable {
        case sent
        /// Tried again later.
        case postponed
        /// Its receiver has left; it is erased with what else is kept of them.
        case withdrawn
        /// Given up; an incident stands.
        case dead
    }

    private let ports: Ports
    private let officialAccount: any OfficialAccountGateway
    private let templateIDs: [OutboxMessage.Kind: String]

    /// Makes the use case.
    ///
    /// - Parameter templateIDs: The official account's template for each kind of message.
    package init(
        _ ports: Ports, officialAccount: any OfficialAccountGateway,
        templateIDs: [OutboxMessage.Kind: String]
    ) {
        self.ports = ports
        self.officialAccount = officialAccount
        self.templateIDs = templateIDs
    }

    /// Messages whose time has come, oldest first.
    package func due(limit: Int) async throws -> [OutboxMessage] {
        let now = ports.clock.now()
        return try await ports.store.read { tx in
            try tx.outbox.dueMessages(at: now, limit: limit)
        }
    }

    /// Sends one message.
    ///
    /// It is sent at least once; WeChat drops a repetition by the client message id, which is the
    /// message's own.
    package func send(_ message: OutboxMessage, fence: JobFence) async throws -> Outcome {
        let openID = try await ports.store.read { tx in
            try tx.accounts.openID(of: message.account)
        }
        guard let openID else { return try await putAside(message, fence) }
        guard let template = templateIDs[message.kind] else {
            return try await finish(
                message, fence,
                failure: OfficialAccountFailure(.final, message: "The template is gone."))
        }
        do {
            try await officialAccount.send(
                TemplateMessage(
                    openID: openID, templateID: template,
                    clientMessageID: message.id.description, values: message.values))
            return try await finish(message, fence, failure: nil)
        } catch let failure as OfficialAccountFailure {
            return try await finish(message, fence, failure: failure)
        }
    }

    /// Has a message whose receiver has left wait behind the others, until the deletion of the
    /// account comes to it; that may have been in this moment.
    private func putAside(
        _ message: OutboxMessage, _ fence: JobFence
    ) async throws -> Outcome {
        var next = message
        next.nextAttemptAt = ports.clock.now()
            .adding(milliseconds: Limits.outboxBackOffMilliseconds)
        try await ports.store.write { [next] tx in
            try fence.check(tx)
            let before = OutboxID(rawValue: next.id.rawValue - 1)
            let stored = try tx.outbox.messages(of: next.account, after: before, limit: 1).first
            if stored == message { try tx.outbox.update(next) }
        }
        return .withdrawn
    }

    private func finish(
        _ message: OutboxMessage, _ fence: JobFence, failure: OfficialAccountFailure?
    ) async throws -> Outcome {
        let now = ports.clock.now()
        var next = message
        let outcome: Outcome
        if let failure {
            next.attempts += 1
            let isDead = failure.kind == .final || next.attempts >= Limits.outboxAttempts
            next.state = isDead ? .dead : .waiting
            next.nextAttemptAt = now.adding(milliseconds: Self.backOff(after: next.attempts))
            outcome = isDead ? .dead : .postponed
        } else {
            next.state = .sent
            outcome = .sent
        }
        try await ports.store.write { [next] tx in
            try fence.check(tx)
            try tx.outbox.update(next)
            guard outcome == .dead else { return }
            try tx.operations.insert(
                Incident(
                    key: "outbox:\(next.id)", kind: .undeliverableMessage,
                    reference: next.id.description,
                    summary: failure?.message ?? "A message could not be sent.", at: now))
        }
        return outcome
    }

    /// 15 s, doubled with each failed attempt, at most four hours.
    static func backOff(after attempts: Int64) -> Int64 {
        min(Limits.outboxBackOffMilliseconds, 15_000 << min(attempts - 1, 20))
    }
}
