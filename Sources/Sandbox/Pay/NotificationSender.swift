internal import Cryptography
internal import Logging
internal import ServiceLifecycle
internal import TollgateKernel

/// Sends the notifications of payments, and sends them again by WeChat's schedule until the
/// merchant takes them.
///
/// What is pending stands in the store, so a restart goes on with it.
struct NotificationSender: Service {
    let store: SandboxStore
    let signer: PlatformSigner
    let appID: String
    let merchantID: String
    let configuration: SandboxConfiguration.Pay
    let clock: any WallClock
    let logger: Logger

    private enum Event: Sendable {
        /// Something may be due.
        case wake
        /// The attempt on this notification is over.
        case finished(id: String)
    }

    private let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation

    init(
        store: SandboxStore, signer: PlatformSigner, configuration: SandboxConfiguration,
        logger: Logger
    ) {
        self.store = store
        self.signer = signer
        appID = configuration.keys.appID
        merchantID = configuration.keys.merchantID
        self.configuration = configuration.pay
        clock = configuration.clock
        self.logger = logger
        (events, continuation) = AsyncStream.makeStream()
    }

    /// Says that a notification was stored.
    func wake() { continuation.yield(.wake) }

    /// Sends until shutdown; attempts under way are given up then, and repeated after a restart.
    func run() async throws {
        wake()
        let continuation = continuation
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                var underWay: Set<String> = []
                var timer: Int64?
                for await event in events {
                    if case .finished(let id) = event { underWay.remove(id) }
                    let now = clock.now().milliseconds
                    if let set = timer, set <= now { timer = nil }
                    let pending = try await store.pendingNotifications(
                        limit: 2 * Limits.sandboxParallelNotifications)
                    for notification in pending where !underWay.contains(notification.id) {
                        guard underWay.count < Limits.sandboxParallelNotifications else { break }
                        let due = notification.nextAttemptAt ?? now
                        if due <= now {
                            underWay.insert(notification.id)
                            group.addTask { await attempt(notification) }
                        } else if timer.map({ due < $0 }) ?? true {
                            timer = due
                            group.addTask {
                                try? await Task.sleep(for: .milliseconds(due - now))
                                continuation.yield(.wake)
                            }
                        }
                    }
                }
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            continuation.finish()
        }
    }

    private func attempt(_ notification: PendingNotification) async {
        defer { continuation.yield(.finished(id: notification.id)) }
        do {
            guard let trade = try await store.trade(outTradeNumber: notification.outTradeNumber)
            else { return }
            var notification = notification
            var succeeded = false
            var result: String
            do {
                let answer = try await send(notification, of: trade)
                succeeded = answer.status == 200 || answer.status == 204
                result = "HTTP \(answer.status)"
            } catch let error as OutgoingHTTPError {
                result = error.description
            }
            notification.attempted(
                succeeded: succeeded, result: result, now: clock.now(),
                scale: configuration.notifyScheduleScale)
            try await store.update(notification)
        } catch is CancellationError {
            // Still pending: it is sent again after the restart.
        } catch {
            logger.error("a notification could not be sent", metadata: ["error": "\(error)"])
        }
    }

    /// Sends one notification now, whatever its schedule says.
    func send(
        _ notification: PendingNotification, of trade: Trade, changes: NotificationChanges? = nil
    ) async throws -> OutgoingResponse {
        let resource = try signer.seal(
            trade.json(appID: appID, merchantID: merchantID, changes: changes).text,
            associatedData: "transaction")
        let event: JSONValue = [
            "id": .string(notification.id),
            "create_time": .string(RFC3339.text(Timestamp(milliseconds: notification.createdAt))),
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "支付成功",
            "resource": .object(
                [.init(name: "original_type", value: "transaction")] + resource),
        ]
        var body = Array(event.text.utf8)
        let signedAt = clock.now().adding(milliseconds: -1_000 * (changes?.ageSeconds ?? 0))
        let headers = try signer.headers(for: body, at: signedAt)
        if changes?.tampersWithBody == true {
            // One letter: still JSON, but no longer what was signed.
            if let index = body.lastIndex(of: UInt8(ascii: "c")) { body[index] ^= 1 }
        }
        return try await OutgoingHTTP.send(
            OutgoingRequest(
                url: trade.notifyURL,
                headers: headers + [
                    ("Content-Type", "application/json"), ("Accept", "*/*"),
                    ("User-Agent", "Mozilla/4.0"),
                ], body: body),
            timeoutMilliseconds: configuration.notifyTimeoutMilliseconds)
    }
}
