import Accounts
package import Application
import Auth
import Chat
import Foundation
import Operations
import Orders
package import Storage
package import TollgateKernel

/// A real store in a folder of its own, with the use cases' ports over it.
package struct TestBench {
    /// The store's; empty if the bench was made over a store of its caller's.
    package let folder: String
    package let store: any OpenedStore
    package let clock: TestClock
    package let ports: Ports
    package let vault: Vault
    package let catalogue: Catalogue

    /// Lends a bench and removes it.
    package static func with<Value>(
        policy: ServicePolicy = ServicePolicy(), _ body: (TestBench) async throws -> Value
    ) async throws -> Value {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-application-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = TestClock()
        // By a clock that stands the store never notes how far it has come while it is open.
        let store = try await SQLiteStore.open(
            folder: folder, realm: .sandbox, role: .serve, clock: clock,
            monotonicClock: TestMonotonicClock())
        let bench = try TestBench(
            over: store, clock: clock, policy: policy, folder: folder)
        do {
            let value = try await body(bench)
            await bench.store.close()
            return value
        } catch {
            await bench.store.close()
            throw error
        }
    }

    /// Makes a bench over a store that its caller closes, on whichever engine.
    package init(
        over store: any OpenedStore, clock: TestClock = TestClock(),
        policy: ServicePolicy = ServicePolicy(), folder: String = ""
    ) throws {
        self.folder = folder
        self.store = store
        self.clock = clock
        guard let key = IdentityKey([UInt8](repeating: 7, count: 32)) else {
            throw Failure(.internalError, "bad key")
        }
        ports = Ports(
            store: store, clock: clock, random: SystemRandom(),
            identifiers: TimeSortedIdentifiers(clock: clock), identityKey: key, policy: policy)
        vault = Vault(masterKey: [UInt8](repeating: 3, count: 32), random: SystemRandom())
        catalogue = Catalogue(store: store, clock: clock)
    }

    /// Offers a model of one credit a call on these channels, in this order, and a product.
    package func offer(channels: [String] = ["a"], perCall: Credits = Credits(whole: 1))
        async throws
    {
        let sealed = try channels.map { try vault.seal("key-\($0)", label: "channel:\($0)") }
        try await store.write { tx in
            let model = ChatModel(
                name: ModelName(rawValue: "m"), summary: "",
                price: ChatPrice(
                    perCall: perCall, perThousandPromptTokens: .zero,
                    perThousandCompletionTokens: .zero), maxTokens: 256, isOpenToAll: true,
                isEnabled: true, position: 1)
            try tx.chat.save(model)
            for (index, channel) in channels.enumerated() {
                try tx.chat.save(
                    ChannelRoute(
                        channel: channel, kind: .openAICompatible, baseURL: "http://\(channel)",
                        sealedAPIKey: sealed[index], upstreamModel: "upstream-m",
                        priority: Int64(index), weight: 1), for: model.name, isEnabled: true)
            }
            try tx.orders.save(
                Product(
                    key: ProductKey(rawValue: "starter"), name: "Starter", summary: "",
                    price: Money(fen: 100), credits: Credits(whole: 10), lifetimeDays: 365,
                    models: [ModelName(rawValue: "pro")], isEnabled: true, position: 1))
        }
    }

    /// Puts a login code for a person into the store and signs in with it.
    package func signIn(openID: String = "o_ann") async throws -> SignIn.SignedIn {
        let text = try ports.identityKey.deriveLoginCode(
            pushKey: "push-\(ports.identifiers.next())", openID: openID, attempt: 0)
        let code = LoginCode(
            digest: try ports.identityKey.loginCodeDigest(text), openID: openID,
            expiresAt: clock.now().adding(milliseconds: 180_000))
        let now = clock.now()
        _ = try await store.write { tx in try tx.auth.insert(code, now: now) }
        return try await SignIn(ports).signIn(
            typed: text.printed, source: "test", device: "test")
    }

    /// The audit's violations, as sentences.
    package func violations() async throws -> [String] {
        try await OperatorQueries(ports).audit().flatMap { finding in
            finding.violations.map { "\(finding.check): \($0)" }
        }
    }

    /// Runs a settlement group around a body.
    package func withSettlements<Value: Sendable>(
        _ body: (Settlements) async throws -> Value
    ) async throws -> Value {
        let settlements = Settlements()
        async let running: Void = settlements.run()
        do {
            let value = try await body(settlements)
            settlements.drain()
            await running
            return value
        } catch {
            settlements.drain()
            await running
            throw error
        }
    }
}
