import Application
import Synchronization
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import Weixin

/// A screen that begins logins by QR code, and phones that scan and answer.
final class ScanWorld: Sendable {
    /// An attempt as the screen knows it, with the scene that only WeChat can read from the code.
    struct Attempt: Sendable {
        var secret: String
        var scene: String
    }

    let world: ServerBench
    let client: TollgateClient
    private let pushes = Mutex<Int64>(0)

    init(_ world: ServerBench, _ client: TollgateClient) {
        self.world = world
        self.client = client
    }

    var auth: AuthServiceClient { AuthServiceClient(client) }

    /// Runs a test's body over a web tier's connection.
    static func with(
        _ reach: Reach = .inProcess, _ body: (ScanWorld) async throws -> Void
    ) async throws {
        try await ServerBench.with(reach, mode: .aes) { world in
            try await world.client { client in try await body(ScanWorld(world, client)) }
        }
    }

    /// The screen begins a login.
    func begin(source: String = "browser", device: String = "Firefox on Linux") async throws
        -> Attempt
    {
        let begun = try await auth.beginScanLogin(
            V1.BeginScanLoginRequest(source: source, device: device))
        let scene = try #require(world.messages.scenes.last)
        #expect(begun.codeUrl == "http://weixin.test/q/\(scene)")
        #expect(!scene.contains(begun.attemptSecret))
        return Attempt(secret: begun.attemptSecret, scene: scene)
    }

    /// What the screen is shown at once.
    func standing(_ secret: String) async throws -> V1.ScanLoginEvent.Event? {
        try await auth.awaitScanLogin(V1.AwaitScanLoginRequest(attemptSecret: secret)) { events in
            var iterator = events.makeAsyncIterator()
            return try await iterator.next()?.event
        }
    }

    /// The number the screen shows; fails the test if nobody has scanned.
    func number(_ attempt: Attempt) async throws -> Int64 {
        guard case .scanned(let scanned) = try await standing(attempt.secret) else {
            Issue.record("nobody has scanned")
            return 0
        }
        return scanned.number
    }

    /// A phone scans; what the official account answers, empty for silence.
    func scan(_ attempt: Attempt, by openID: String = "o_ann") async throws -> String {
        try await push { pushes, id in
            try pushes.event("SCAN", key: attempt.scene, from: openID, id: id)
        }
    }

    /// A phone follows by the QR code.
    func follow(by attempt: Attempt, _ openID: String = "o_ann") async throws -> String {
        try await push { pushes, id in
            try pushes.event("subscribe", key: "qrscene_" + attempt.scene, from: openID, id: id)
        }
    }

    /// A phone leaves the account.
    func leave(_ openID: String = "o_ann") async throws -> String {
        try await push { pushes, id in try pushes.event("unsubscribe", from: openID, id: id) }
    }

    /// A phone sends a text.
    func say(_ text: String, _ openID: String = "o_ann") async throws -> String {
        try await push { pushes, id in try pushes.text(text, from: openID, id: id) }
    }

    /// Scans, reads the number off the screen and sends it.
    func confirm(_ attempt: Attempt, by openID: String = "o_ann") async throws {
        _ = try await scan(attempt, by: openID)
        let answer = try await say(String(number(attempt)), openID)
        #expect(answer.contains("Confirmed"))
    }

    /// The screen signs in.
    func redeem(_ secret: String) async throws -> V1.LoginResponse {
        try await auth.redeemScanLogin(V1.RedeemScanLoginRequest(attemptSecret: secret))
    }

    /// The code that redeeming fails with; nil if it succeeds.
    func refusal(_ secret: String) async -> String? {
        await error { _ = try await redeem(secret) }?.code
    }

    /// Sends a push, each under a signature and a second of its own.
    private func push(
        _ make: (Pushes, Int64) throws -> V1.ReceiveCallbackRequest
    ) async throws -> String {
        let id = pushes.withLock { number in
            number += 1
            return number
        }
        world.bench.clock.advance(milliseconds: 1_000)
        let pushes = try Pushes(world.account, at: world.bench.clock.now())
        return try await send(make(pushes, id))
    }

    /// Sends a push as it is, as WeChat does again when no answer came.
    func send(_ request: V1.ReceiveCallbackRequest) async throws -> String {
        let response = try await WeixinServiceClient(client).receiveCallback(request)
        #expect(response.httpStatus == 200)
        guard response.body != Array("success".utf8) else { return "" }
        let pushes = try Pushes(world.account, at: world.bench.clock.now())
        return try pushes.shown(response).text
    }
}
