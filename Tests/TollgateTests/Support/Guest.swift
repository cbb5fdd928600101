import Foundation
import TollgateClient

/// Somebody who signed in once, and shows the same login session to every server.
struct Guest: Sendable {
    /// What everybody gets at the first sign-in: so many chats of the model `demo-chat`.
    static let welcomeCredits: Int64 = 5

    /// The phone's name.
    let name: String
    /// The account, as 13 characters.
    let account: String
    private let session: String

    /// Redeems a code.
    init(_ name: String, code: String, through client: TollgateClient) async throws {
        let login = try await AuthServiceClient(client)
            .login(V1.LoginRequest(code: code, source: name, device: ""))
        self.name = name
        account = login.accountId
        session = login.sessionToken
    }

    /// The same person, who shows an API key of theirs instead of the login session.
    init(_ guest: Guest, _ wish: V1.CreateApiKeyRequest, through client: TollgateClient)
        async throws
    {
        name = guest.name
        account = guest.account
        session = try await ApiKeysServiceClient(client)
            .createApiKey(wish, options: guest.options).secret
    }

    /// What a call shows.
    var options: CallOptions {
        CallOptions(authorization: "Bearer \(session)", timeoutMilliseconds: 20_000)
    }

    /// What became of a chat.
    enum Chat: Hashable, Sendable {
        /// Answered, settled and acknowledged; in micro-credits.
        case answered(charged: Int64, balance: Int64)
        /// Refused or broken off, with the code.
        case failed(String)
    }

    /// Asks one question.
    ///
    /// - Parameter onStart: Told when the answer starts: its hold is durable then.
    func ask(
        _ question: String = "hello", through client: TollgateClient,
        id: String = UUID().uuidString, onStart: @Sendable () -> Void = {}
    ) async -> Chat {
        let request = V1.AskRequest(
            model: "demo-chat", turns: [V1.ChatTurn(role: "user", content: question)],
            maxTokens: 256, requestId: id)
        do {
            return try await ChatServiceClient(client).ask(request, options: options) { events in
                var end = Chat.failed("no end")
                for try await event in events {
                    switch event.event {
                    case .start: onStart()
                    case .done(let done):
                        end = .answered(
                            charged: done.chargedMicroCredits, balance: done.balanceMicroCredits)
                    case .error(let error): end = .failed(error.code)
                    default: break
                    }
                }
                return end
            }
        } catch let error as TollgateError {
            return .failed(error.code)
        } catch {
            return .failed("\(error)")
        }
    }

    /// Asks several questions at once, in turn through each of the clients.
    func askAtOnce(_ count: Int, through clients: [TollgateClient]) async -> [Chat] {
        await withTaskGroup(of: Chat.self) { group in
            for number in 0..<count {
                group.addTask { await ask(through: clients[number % clients.count]) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// What may be spent.
    func quota(through client: TollgateClient) async throws -> V1.GetQuotaResponse {
        try await AccountsServiceClient(client).getQuota(V1.GetQuotaRequest(), options: options)
    }
}
