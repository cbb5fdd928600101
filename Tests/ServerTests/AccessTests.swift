import TestSupport
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// Who may call what, written down by hand: the contract's options are what is judged.
@Suite(.timeLimit(.minutes(5))) struct AccessTests {
    private enum Caller {
        /// Every service.
        case anyone
        /// Every service, for a signed-in person.
        case person
        /// The web tier alone.
        case web
        /// An operator alone.
        case admin
    }

    private static let callers: [String: Caller] = [
        "AccountsService/GetQuota": .person, "AccountsService/ListLedger": .person,
        "AccountsService/BindProviderKey": .person, "AccountsService/ListProviderKeys": .person,
        "AccountsService/RemoveProviderKey": .person, "AccountsService/DeleteMyAccount": .person,
        "AccountsService/ExportMyAccount": .person,
        "AccountsService/GetStatement": .person,
        "AdminService/AdjustCredits": .admin, "AdminService/GetAccount": .admin,
        "AdminService/GetAccountLedger": .admin, "AdminService/GetAccountStatement": .admin,
        "AdminService/ListAdminActs": .admin, "AdminService/ListTiers": .admin,
        "AdminService/SetAccountStatus": .admin, "AdminService/SetAccountTier": .admin,
        "AdminService/SetTier": .admin, "AdminService/SignOutAccount": .admin,
        "AdminService/DeleteAccount": .admin,
        "ApiKeysService/CreateApiKey": .person, "ApiKeysService/ListApiKeys": .person,
        "ApiKeysService/RevokeApiKey": .person,
        "AuthService/AwaitScanLogin": .anyone, "AuthService/BeginScanLogin": .anyone,
        "AuthService/CancelScanLogin": .anyone, "AuthService/RedeemScanLogin": .anyone,
        "AuthService/Login": .anyone, "AuthService/Logout": .person,
        "AuthService/EndLoginSession": .person, "AuthService/EndLoginSessions": .person,
        "AuthService/ListLoginSessions": .person,
        "AuthService/WhoAmI": .person, "ChatService/Ask": .person,
        "CatalogueService/ListChannels": .admin, "CatalogueService/SetChannel": .admin,
        "CatalogueService/SetChannelStatus": .admin,
        "CatalogueService/ListAllModels": .admin, "CatalogueService/ListAllProducts": .admin,
        "CatalogueService/SetModel": .admin, "CatalogueService/SetProduct": .admin,
        "CatalogueService/WithdrawModel": .admin, "CatalogueService/WithdrawProduct": .admin,
        "ChatService/ListModels": .person, "DiagnosticsService/Ping": .anyone,
        "JobsService/ListJobRuns": .admin, "JobsService/ListJobs": .admin,
        "OperationsService/Audit": .admin, "OperationsService/ListIncidents": .admin,
        "OperationsService/ListMetrics": .admin, "OrdersService/CancelOrder": .person,
        "OrdersService/GetOrder": .person,
        "OrdersService/ListOrders": .person, "OrdersService/ListProducts": .anyone,
        "OrdersService/PlaceOrder": .person, "PaymentsService/NotifyPayment": .web,
        "WeixinService/ReceiveCallback": .web,
    ]

    /// Open to anyone, and of use only to who holds a code or a login attempt's secret.
    private static let needingSecret: Set<String> = [
        "AuthService/AwaitScanLogin", "AuthService/CancelScanLogin", "AuthService/Login",
        "AuthService/RedeemScanLogin",
    ]

    /// Calls a method with an empty request; the code it fails with, or nil.
    private func outcome(
        of method: MethodDescriptor, _ client: TollgateClient, authorization: String? = nil
    ) async -> String? {
        await error {
            let options = CallOptions(authorization: authorization)
            switch method.streaming {
            case .unary: _ = try await client.unaryBytes(method, [], options: options)
            case .clientStreaming, .bidirectionalStreaming:
                Issue.record("\(method.fullName) needs a way to be called here")
            case .serverStreaming:
                try await client.serverStreamBytes(method, [], options: options) { stream in
                    while try await stream.next() != nil {}
                }
            }
        }?.code
    }

    @Test func `Every method is in the table`() {
        let names = Methods.all.map { $0.fullName.replacing("tollgate.v1.", with: "") }
        #expect(Set(names) == Set(Self.callers.keys))
    }

    @Test(arguments: ["web", "jobs", "cli", "admin"])
    func `Each credential reaches what it may and nothing else`(credential: String) async throws {
        try await ServerBench.with { world in
            try await world.client(credential) { client in
                for method in Methods.all {
                    let name = method.fullName.replacing("tollgate.v1.", with: "")
                    let code = await outcome(of: method, client)
                    switch Self.callers[name] {
                    case .anyone:
                        // An empty code is a wrong code, and so is a secret; all else answers.
                        let needsSecret = Self.needingSecret.contains(name)
                        #expect(code == (needsSecret ? "unauthenticated" : nil), "\(name)")
                    case .person: #expect(code == "unauthenticated", "\(name)")
                    case .web: #expect((code == "forbidden") == (credential != "web"), "\(name)")
                    case .admin:
                        // What names nobody and nothing is no act.
                        let isOperators =
                            name.hasPrefix("AdminService/")
                            || name.hasPrefix("CatalogueService/")
                        let isAct = isOperators && !name.contains("/List")
                        let reached = isAct ? "invalid_request" : nil
                        #expect(
                            code == (credential == "admin" ? reached : "forbidden"), "\(name)")
                    case nil: Issue.record("\(name) is not in the table")
                    }
                }
            }
        }
    }

    /// What a method answers to a session that nobody has.
    private static func refusals(of method: MethodDescriptor) -> Set<String?> {
        switch method.name {
        // Ending a session that is over is no error, so as not to tell which were.
        case "Logout": ["unauthenticated", nil]
        // A question without turns is refused before anybody asks whose it is.
        case "Ask": ["unauthenticated", "invalid_request"]
        default: ["unauthenticated"]
        }
    }

    @Test(arguments: ["Bearer \(String(repeating: "A", count: 43))", "Bearer", "nonsense"])
    func `A made-up session opens nothing`(authorization: String) async throws {
        try await ServerBench.with { world in
            try await world.client { client in
                for method in Methods.all where method.access == .user {
                    let code = await outcome(of: method, client, authorization: authorization)
                    #expect(Self.refusals(of: method).contains(code), "\(method.name)")
                }
                let asked = await error {
                    _ = try await Person(client, authorization: authorization).ask(id: "q1")
                }
                #expect(asked?.code == "unauthenticated")
            }
            #expect(world.models.asked.isEmpty)
        }
    }

    @Test func `A wrong credential reaches nothing at all`() async throws {
        try await ServerBench.with { world in
            try await world.client("nobody") { client in
                let ping = try #require(Methods.all.first { $0.name == "Ping" })
                #expect(await outcome(of: ping, client) == "unauthenticated")
            }
        }
    }

    @Test func `Another's order is as unknown as none`() async throws {
        try await ServerBench.with { world in
            let (ann, _) = try await world.signIn(openID: "o_ann")
            let (bob, _) = try await world.signIn(openID: "o_bob")
            try await world.client { client in
                let order = try await Person(client, authorization: ann).order()
                let refused = await error {
                    _ = try await Person(client, authorization: bob).order(order.orderId)
                }
                #expect(refused?.code == "not_found")
                let list = try await OrdersServiceClient(client).listOrders(
                    V1.ListOrdersRequest(), options: CallOptions(authorization: bob))
                #expect(list.orders.isEmpty)
            }
        }
    }

    @Test(arguments: [("cli", true), ("web", false)])
    func `Only the web tier is believed whose guess a code is`(
        credential: String, isLimited: Bool
    ) async throws {
        try await ServerBench.with { world in
            try await world.client(credential) { client in
                var codes: Set<String> = []
                for number in 0..<Limits.wrongGuessesOfSourceAMinute + 2 {
                    let refused = await error {
                        _ = try await AuthServiceClient(client).login(
                            V1.LoginRequest(code: "AAAA-AAAA", source: "source \(number)"))
                    }
                    codes.insert(refused?.code ?? "none")
                }
                #expect(
                    codes
                        == (isLimited ? ["unauthenticated", "rate_limited"] : ["unauthenticated"])
                )
            }
        }
    }
}
