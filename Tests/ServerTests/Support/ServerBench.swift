import Application
import Auth
import Gateways
import Server
import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC
import Weixin

/// How a test reaches its server; frames, handlers and store are the real ones in both.
enum Reach: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case inProcess
    case socket

    var testDescription: String { rawValue }
}

/// The whole server over a real store; the provider and WeChat Pay are scripted behind the ports.
struct ServerBench: Sendable {
    let bench: TestBench
    let server: RPCServer
    let settlements: Settlements
    let models: ScriptedModels
    let payments: ScriptedPayments
    let messages: ScriptedMessages
    let account: OfficialAccountIdentity
    private let reach: Reach

    /// Runs a server while the body runs; afterwards the books must be right.
    ///
    /// Chats go over what `chatsOver` makes of the store.
    static func with(
        _ reach: Reach = .inProcess, mode: OfficialAccountIdentity.Mode = .plain,
        policy: ServicePolicy = ServicePolicy(),
        chatsOver: (any Store) -> any Store = { $0 }, _ body: (ServerBench) async throws -> Void
    ) async throws {
        try await TestBench.with(policy: policy) { bench in
            try await bench.offer()
            let models = ScriptedModels()
            let payments = ScriptedPayments()
            let messages = ScriptedMessages()
            let account = Pushes.account(mode)
            var chatPorts = bench.ports
            chatPorts.store = chatsOver(bench.store)
            try await bench.withSettlements { settlements in
                let services = TollgateServices(
                    TollgateServices.Parts(
                        ports: bench.ports, catalogue: bench.catalogue,
                        answerQuestion: AnswerQuestion(
                            chatPorts, catalogue: bench.catalogue, gateway: models,
                            vault: bench.vault, settlements: settlements,
                            heavyWork: BlockingWork(label: "tollgate.test")),
                        vault: bench.vault, settlements: settlements, payments: payments,
                        notificationVerifier: WeChatPayNotificationVerifier(
                            configuration: try PaymentWorld.make().configuration,
                            keys: PlatformKeys(
                                fixed: try PaymentWorld.make().configuration.platformKeys)),
                        receivePush: try ReceivePush(bench.ports, account: account),
                        scanLogin: ScanLogin(
                            bench.ports, officialAccount: messages,
                            monotonic: SystemMonotonicClock()),
                        jobs: [
                            JobDescription(
                                name: "outbox", summary: "Sends messages.",
                                intervalMilliseconds: 2_000)
                        ],
                        version: "test", realm: "sandbox"))
                var configuration = RPCServerConfiguration(
                    credentials: .verified(by: NamedRoles()))
                configuration.port = 0
                if reach == .inProcess { configuration.host = nil }
                try await withRPCServer(configuration, services: services.registrations) { server in
                    try await body(
                        ServerBench(
                            bench: bench, server: server, settlements: settlements, models: models,
                            payments: payments, messages: messages, account: account, reach: reach))
                    try await expectNothingLeft(in: server)
                }
            }
            #expect(try await bench.violations() == [])
        }
    }

    /// Lends a client with a role's credential.
    func client<Value>(
        _ credential: String = "web", _ body: (TollgateClient) async throws -> Value
    ) async throws -> Value {
        let endpoint: SocketTransport.Endpoint
        switch reach {
        case .inProcess: endpoint = .inProcess(server)
        case .socket:
            let address = try #require(try await server.address)
            endpoint = .address(host: address.host, port: address.port)
        }
        let client = TollgateClient(
            transport: SocketTransport(endpoint, credential: Array(credential.utf8)))
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }

    /// Signs a person in with a code that was put into the store.
    func signIn(openID: String = "o_ann") async throws -> (token: String, account: AccountID) {
        let signedIn = try await bench.signIn(openID: openID)
        return ("Bearer \(signedIn.token.text)", signedIn.session.account)
    }
}

/// Knows each role by its name.
private struct NamedRoles: CredentialVerifier {
    func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
        let name = String(decoding: credential, as: UTF8.self)
        return ServiceRole(rawValue: name).map { ConnectionIdentity(name: name, role: $0) }
    }
}

/// The error that a call ends in; nil if it succeeds.
func error(of body: () async throws -> Void) async -> TollgateError? {
    do {
        try await body()
        return nil
    } catch let error as TollgateError {
        return error
    } catch {
        Issue.record(error)
        return nil
    }
}

/// Everybody has left: no connection, call, stream or byte may stay behind.
private func expectNothingLeft(in server: RPCServer) async throws {
    for _ in 0..<1_000 {
        if try await server.population == RPCServer.Population() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("the server still holds \(try await server.population)")
}
