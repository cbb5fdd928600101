internal import Accounts
internal import Application
internal import Chat
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Quota, its history and people's own keys on the wire.
struct AccountsHandlers: AccountsServiceHandlers {
    let caller: CallerIdentity
    let queries: AccountQueries
    let statements: Statements
    let ownKeys: OwnKeys
    let deletion: DeleteAccount

    func getQuota(_ request: V1.GetQuotaRequest, _ context: ServerCallContext) async throws
        -> V1.GetQuotaResponse
    {
        let account = try await caller.account(of: context)
        let quota = try await queries.quota(of: account.id)
        return V1.GetQuotaResponse(
            postedMicroCredits: quota.ledger.posted, heldMicroCredits: quota.ledger.held,
            balanceMicroCredits: quota.ledger.balance.micro,
            trialGrantedCalls: quota.trialGranted, trialUsedCalls: quota.trialUsed,
            lots: quota.lots.map(V1.CreditLot.init))
    }

    func listLedger(_ request: V1.ListLedgerRequest, _ context: ServerCallContext) async throws
        -> V1.ListLedgerResponse
    {
        let account = try await caller.account(of: context)
        let page = try await queries.page(
            of: account.id, limit: request.limit, before: request.beforeSequence,
            after: request.afterSequence)
        return V1.ListLedgerResponse(entries: page.entries, nextBeforeSequence: page.next)
    }

    func getStatement(_ request: V1.GetStatementRequest, _ context: ServerCallContext)
        async throws -> V1.GetStatementResponse
    {
        let account = try await caller.account(of: context)
        let statement = try await statements.statement(
            of: account.id, for: ShanghaiMonth(asked: request.month))
        return V1.GetStatementResponse(statement: V1.Statement(statement))
    }
}

// MARK: - Leaving

extension AccountsHandlers {
    func deleteMyAccount(_ request: V1.DeleteMyAccountRequest, _ context: ServerCallContext)
        async throws -> V1.DeleteMyAccountResponse
    {
        let deleted = try await deletion.delete(by: CallerIdentity.token(of: context))
        return V1.DeleteMyAccountResponse(
            accountId: deleted.account.description,
            forfeitedMicroCredits: deleted.forfeited.micro,
            deletedAtMilliseconds: deleted.at.milliseconds)
    }
}

// MARK: - Keys of one's own

extension AccountsHandlers {
    func listProviderKeys(_ request: V1.ListProviderKeysRequest, _ context: ServerCallContext)
        async throws -> V1.ListProviderKeysResponse
    {
        let account = try await caller.person(of: context)
        return V1.ListProviderKeysResponse(
            providers: try await ownKeys.providers(for: account.id).map { provider in
                V1.ProviderKey(provider.key, provider.channel, models: provider.models)
            })
    }

    func bindProviderKey(_ request: V1.BindProviderKeyRequest, _ context: ServerCallContext)
        async throws -> V1.BindProviderKeyResponse
    {
        let account = try await caller.person(of: context)
        let key = try await ownKeys.bind(request.key, to: request.provider, for: account.id)
        return V1.BindProviderKeyResponse(key: V1.ProviderKey(key, key.channel, models: []))
    }

    func removeProviderKey(_ request: V1.RemoveProviderKeyRequest, _ context: ServerCallContext)
        async throws -> V1.RemoveProviderKeyResponse
    {
        let account = try await caller.person(of: context)
        try await ownKeys.remove(from: request.provider, for: account.id)
        return V1.RemoveProviderKeyResponse()
    }
}

extension V1.ProviderKey {
    fileprivate init(_ key: OwnKey?, _ provider: String, models: [ModelName]) {
        self.init(
            provider: provider, models: models.map(\.rawValue), bound: key != nil,
            hint: key?.hint ?? "", boundAtMilliseconds: key?.createdAt.milliseconds ?? 0)
    }
}

/// The size of a page as asked for.
///
/// - Throws: `invalid_request` if it is negative or more than `most`.
func pageSize(_ asked: Int64, default size: Int, most: Int) throws(Failure) -> Int {
    if asked == 0 { return size }
    guard (1...Int64(most)).contains(asked) else {
        throw Failure(.invalidRequest, "A page has 1 to \(most) rows.")
    }
    return Int(asked)
}

extension V1.CreditLot {
    fileprivate init(_ lot: Lot) {
        self.init(
            lotId: lot.id.description, origin: lot.origin.rawValue,
            orderId: lot.order?.description ?? "", grantedMicroCredits: lot.granted,
            remainingMicroCredits: lot.remaining,
            expiresAtMilliseconds: lot.expiresAt?.milliseconds ?? 0)
    }
}
