import Application
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// From the first scan to the last trace, over the wire.
@Suite(.timeLimit(.minutes(5))) struct DeletionTests {
    private func places(_ text: String, _ world: ServerBench) async throws -> [String] {
        try await world.bench.store.read { tx in try TextScan.columns(holding: text, tx) }
    }

    @Test func `After a life with the service no table holds the openid of who left`()
        async throws
    {
        try await ScanWorld.with { scan in
            let world = scan.world
            let first = try await scan.begin()
            _ = try await scan.follow(by: first, "o_leaving")
            try await scan.confirm(first, by: "o_leaving")
            let session = try await scan.redeem(first.secret)
            _ = try await scan.say("login", "o_leaving")
            _ = try await scan.scan(try await scan.begin(), by: "o_leaving")
            let person = Person(scan.client, authorization: "Bearer \(session.sessionToken)")
            _ = try await person.ask(id: "1")
            _ = try await ApiKeysServiceClient(scan.client).createApiKey(
                V1.CreateApiKeyRequest(name: "robot"), options: person.options)
            // Also while they were here: pushes are remembered without their senders.
            #expect(
                try await places("o_leaving", world).sorted() == [
                    "accounts.openid", "followers.openid", "login_attempts.openid",
                    "login_codes.openid",
                ])

            let accounts = AccountsServiceClient(scan.client)
            let deleted = try await accounts.deleteMyAccount(
                V1.DeleteMyAccountRequest(), options: person.options)
            #expect(deleted.accountId == session.accountId)
            #expect(deleted.forfeitedMicroCredits == 2_000_000)
            #expect(try await places("o_leaving", world) == [])
            #expect(try await places("robot", world) == [])
            #expect(
                await error { _ = try await person.ask(id: "2") }?.code == "unauthenticated")
            #expect(
                await error {
                    _ = try await accounts.deleteMyAccount(
                        V1.DeleteMyAccountRequest(), options: person.options)
                }?.code == "unauthenticated")
            // Who unfollows after that leaves no trace of it either.
            _ = try await scan.leave("o_leaving")
            #expect(try await places("o_leaving", world) == [])
        }
    }

    @Test func `What is kept is told to its person, secrets to nobody, and to no program`()
        async throws
    {
        try await ScanWorld.with { scan in
            _ = try await scan.follow(by: try await scan.begin())
            let (token, account) = try await scan.world.signIn()
            let person = Person(scan.client, authorization: token)
            _ = try await person.ask(id: "first")
            let made = try await ApiKeysServiceClient(scan.client).createApiKey(
                V1.CreateApiKeyRequest(name: "robot"), options: person.options)
            let accounts = AccountsServiceClient(scan.client)
            let key = "sk-own-0123456789"
            _ = try await accounts.bindProviderKey(
                V1.BindProviderKeyRequest(provider: "a", key: key), options: person.options)
            var pages: [V1.ExportMyAccountResponse] = []
            repeat {
                pages.append(
                    try await accounts.exportMyAccount(
                        V1.ExportMyAccountRequest(after: pages.last?.next ?? ""),
                        options: person.options))
            } while pages.last?.next.isEmpty == false
            let profile = pages.first?.account
            #expect(profile?.accountId == account.description)
            #expect(profile?.openid == "o_ann")
            #expect(profile?.following == true)
            #expect(profile?.providerKeys.map(\.provider) == ["a"])
            #expect(pages.flatMap(\.trialDays).map(\.usedCalls) == [1])
            #expect(pages.flatMap(\.movements).map(\.kind) == ["welcome"])
            let calls = pages.flatMap(\.calls)
            #expect(calls.map(\.requestId) == ["first"])
            #expect(calls.map(\.outcome) == ["answered"])
            #expect(pages.flatMap(\.apiKeys).map(\.name) == ["robot"])
            #expect(pages.flatMap(\.loginSessions).map(\.device) == ["test"])
            let whole = "\(pages)"
            for secret in [key, made.secret, token.replacing("Bearer ", with: "")] {
                #expect(!secret.isEmpty && !whole.contains(secret))
            }
            let program = await error {
                _ = try await accounts.exportMyAccount(
                    V1.ExportMyAccountRequest(),
                    options: CallOptions(authorization: "Bearer \(made.secret)"))
            }
            #expect(program?.code == "forbidden")
        }
    }

    @Test func `Who cancels what they did not pay may leave at once`() async throws {
        try await ServerBench.with { world in
            let (token, _) = try await world.signIn()
            try await world.client { client in
                let person = Person(client, authorization: token)
                let orders = OrdersServiceClient(client)
                let order = try await person.order()
                let made = try await ApiKeysServiceClient(client).createApiKey(
                    V1.CreateApiKeyRequest(name: "robot"), options: person.options)
                let request = V1.CancelOrderRequest(orderId: order.orderId)
                let program = await error {
                    _ = try await orders.cancelOrder(
                        request, options: CallOptions(authorization: "Bearer \(made.secret)"))
                }
                #expect(program?.code == "forbidden")
                let refused = await error {
                    _ = try await AccountsServiceClient(client).deleteMyAccount(
                        V1.DeleteMyAccountRequest(), options: person.options)
                }
                #expect(refused?.code == "conflict")
                #expect(
                    refused?.message.contains("tollgate orders cancel \(order.orderId)") == true)
                for _ in 0..<2 {
                    let cancelled = try await orders.cancelOrder(request, options: person.options)
                    #expect(cancelled.order?.state == "closed")
                    #expect(cancelled.order?.codeUrl == "")
                }
                let deleted = try await AccountsServiceClient(client).deleteMyAccount(
                    V1.DeleteMyAccountRequest(), options: person.options)
                #expect(deleted.deletedAtMilliseconds > 0)
            }
        }
    }

    @Test func `A program may not delete the account it spends for`() async throws {
        try await ServerBench.with { world in
            let (token, account) = try await world.signIn()
            try await world.client { client in
                let person = Person(client, authorization: token)
                let made = try await ApiKeysServiceClient(client).createApiKey(
                    V1.CreateApiKeyRequest(name: "robot"), options: person.options)
                let program = CallOptions(authorization: "Bearer \(made.secret)")
                let refused = await error {
                    _ = try await AccountsServiceClient(client).deleteMyAccount(
                        V1.DeleteMyAccountRequest(), options: program)
                }
                #expect(refused?.code == "forbidden")
            }
            try await world.client("admin") { client in
                let admin = AdminServiceClient(client)
                let request = V1.DeleteAccountRequest(
                    by: V1.ActedBy(person: "olga", reason: "asked by letter"),
                    accountId: account.description)
                let deleted = try await admin.deleteAccount(request)
                #expect(deleted.doneNow)
                #expect(deleted.account?.status == "deleted")
                #expect((deleted.account?.deletedAtMilliseconds ?? 0) > 0)
                #expect(deleted.forfeitedMicroCredits == 2_000_000)
                #expect(try await !admin.deleteAccount(request).doneNow)
                let acts = try await admin.listAdminActs(V1.ListAdminActsRequest())
                #expect(acts.acts.map(\.kind) == ["account_deleted"])
                let revived = await error {
                    _ = try await admin.setAccountStatus(
                        V1.SetAccountStatusRequest(
                            by: request.by, accountId: account.description, status: "deleted"))
                }
                #expect(revived?.code == "invalid_request")
            }
        }
    }
}
