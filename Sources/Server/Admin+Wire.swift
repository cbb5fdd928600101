internal import Accounts
internal import Application
internal import Operations
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// What operators decide, on the wire.
struct AdminHandlers: AdminServiceHandlers {
    let administration: Administration
    let deletion: DeleteAccount
    let queries: AccountQueries
    let statements: Statements

    func listTiers(_ request: V1.ListTiersRequest, _ context: ServerCallContext) async throws
        -> V1.ListTiersResponse
    {
        V1.ListTiersResponse(tiers: try await administration.tiers().map(V1.Tier.init))
    }

    func setTier(_ request: V1.SetTierRequest, _ context: ServerCallContext) async throws
        -> V1.SetTierResponse
    {
        let wish = request.tier ?? V1.Tier()
        guard
            let factor = PriceFactor(
                numerator: wish.priceNumerator, denominator: wish.priceDenominator)
        else {
            throw Failure(
                .invalidRequest,
                "A price factor is a fraction from 0 to \(Limits.priceFactor), such as 4/5.")
        }
        func limit(_ number: Int64) -> Int64? { number == 0 ? nil : number }
        let tier = Tier(
            name: TierName(rawValue: wish.name), priceFactor: factor,
            limits: CallLimits(
                requestsPerMinute: limit(wish.requestsPerMinute),
                tokensPerMinute: limit(wish.tokensPerMinute),
                concurrentChats: limit(wish.concurrentChats)))
        let set = try await administration.set(tier, by: ActedBy(request.by, context))
        return V1.SetTierResponse(tier: V1.Tier(set))
    }

    func getAccount(_ request: V1.GetAccountRequest, _ context: ServerCallContext) async throws
        -> V1.GetAccountResponse
    {
        let account = try Self.account(request.accountId)
        return V1.GetAccountResponse(
            account: V1.AccountStanding(try await administration.standing(of: account)))
    }

    func getAccountStatement(_ request: V1.GetAccountStatementRequest, _ context: ServerCallContext)
        async throws -> V1.GetAccountStatementResponse
    {
        let statement = try await statements.statement(
            of: Self.account(request.accountId), for: ShanghaiMonth(asked: request.month))
        return V1.GetAccountStatementResponse(statement: V1.Statement(statement))
    }

    func getAccountLedger(_ request: V1.GetAccountLedgerRequest, _ context: ServerCallContext)
        async throws -> V1.GetAccountLedgerResponse
    {
        let account = try Self.account(request.accountId)
        // An account that nobody has would read as one on which nothing moved.
        _ = try await administration.standing(of: account)
        let page = try await queries.page(
            of: account, limit: request.limit, before: request.beforeSequence,
            after: request.afterSequence)
        return V1.GetAccountLedgerResponse(entries: page.entries, nextBeforeSequence: page.next)
    }

    func setAccountTier(_ request: V1.SetAccountTierRequest, _ context: ServerCallContext)
        async throws -> V1.SetAccountTierResponse
    {
        let standing = try await administration.setTier(
            of: Self.account(request.accountId), to: TierName(rawValue: request.tier),
            by: ActedBy(request.by, context))
        return V1.SetAccountTierResponse(account: V1.AccountStanding(standing))
    }

    func setAccountStatus(_ request: V1.SetAccountStatusRequest, _ context: ServerCallContext)
        async throws -> V1.SetAccountStatusResponse
    {
        guard let status = Account.Status(rawValue: request.status) else {
            throw Failure(.invalidRequest, "A status is active or frozen.")
        }
        let standing = try await administration.setStatus(
            of: Self.account(request.accountId), to: status,
            by: ActedBy(request.by, context))
        return V1.SetAccountStatusResponse(account: V1.AccountStanding(standing))
    }

    func signOutAccount(_ request: V1.SignOutAccountRequest, _ context: ServerCallContext)
        async throws -> V1.SignOutAccountResponse
    {
        let ended = try await administration.signOut(
            Self.account(request.accountId), by: ActedBy(request.by, context))
        return V1.SignOutAccountResponse(endedSessions: Int64(ended))
    }

    func adjustCredits(_ request: V1.AdjustCreditsRequest, _ context: ServerCallContext)
        async throws -> V1.AdjustCreditsResponse
    {
        guard let requestID = IdempotencyKey(checking: request.requestId) else {
            throw Failure(.invalidRequest, "A request id has 1 to 64 visible ASCII characters.")
        }
        // Before it is negated: the smallest number has no opposite.
        let most = Limits.creditsInOneTransfer
        guard (-most...most).contains(request.amountMicroCredits) else {
            throw Failure(.invalidRequest, "An adjustment is at most 10^15 either way.")
        }
        let done = try await administration.adjust(
            Self.account(request.accountId), by: Credits(micro: request.amountMicroCredits),
            requestID: requestID,
            expiresAt: request.expiresAtMilliseconds == 0
                ? nil : Timestamp(milliseconds: request.expiresAtMilliseconds),
            ActedBy(request.by, context))
        return V1.AdjustCreditsResponse(
            account: V1.AccountStanding(done.standing), doneNow: done.isDoneNow)
    }

    func deleteAccount(_ request: V1.DeleteAccountRequest, _ context: ServerCallContext)
        async throws -> V1.DeleteAccountResponse
    {
        let deleted = try await deletion.delete(
            Self.account(request.accountId), by: ActedBy(request.by, context))
        let standing = try await administration.standing(of: deleted.account)
        return V1.DeleteAccountResponse(
            account: V1.AccountStanding(standing),
            forfeitedMicroCredits: deleted.forfeited.micro, doneNow: deleted.isDoneNow)
    }

    func listAdminActs(_ request: V1.ListAdminActsRequest, _ context: ServerCallContext)
        async throws -> V1.ListAdminActsResponse
    {
        let limit = try pageSize(request.limit, default: 50, most: 200)
        var before: AdminActID?
        if !request.beforeActId.isEmpty {
            before = AdminActID(text: request.beforeActId)
            guard before != nil else {
                throw Failure(.invalidRequest, "An act's number has 13 letters and digits.")
            }
        }
        let acts = try await administration.acts(before: before, limit: limit)
        return V1.ListAdminActsResponse(
            acts: acts.map(V1.AdminAct.init),
            nextBeforeActId: acts.count == limit ? acts.last?.id.description ?? "" : "")
    }

    private static func account(_ text: String) throws(Failure) -> AccountID {
        guard let id = AccountID(text: text) else {
            throw Failure(.invalidRequest, "An account's number has 13 letters and digits.")
        }
        return id
    }
}

extension ActedBy {
    /// Who acts: what the server knows of the connection, and what the caller says.
    init(_ by: V1.ActedBy?, _ context: ServerCallContext) {
        self.init(
            credential: context.identity?.name ?? "", person: by?.person ?? "",
            reason: by?.reason ?? "", correlationID: context.correlationID)
    }
}

extension V1.Tier {
    fileprivate init(_ tier: Tier) {
        self.init(
            name: tier.name.rawValue, priceNumerator: tier.priceFactor.numerator,
            priceDenominator: tier.priceFactor.denominator,
            requestsPerMinute: tier.limits.requestsPerMinute ?? 0,
            tokensPerMinute: tier.limits.tokensPerMinute ?? 0,
            concurrentChats: tier.limits.concurrentChats ?? 0)
    }
}

extension V1.AccountStanding {
    fileprivate init(_ standing: Administration.Standing) {
        let account = standing.account
        self.init(
            accountId: account.id.description, status: account.status.rawValue,
            tier: account.tier.name.rawValue, whiteListed: account.isWhiteListed,
            openedAtMilliseconds: account.openedAt.milliseconds,
            postedMicroCredits: standing.ledger.posted, heldMicroCredits: standing.ledger.held,
            openChats: standing.ledger.activity.openCalls,
            deletedAtMilliseconds: account.deletedAt?.milliseconds ?? 0)
    }
}

extension V1.AdminAct {
    fileprivate init(_ act: AdminAct) {
        self.init(
            actId: act.id.description, atMilliseconds: act.at.milliseconds,
            credential: act.by.credential, person: act.by.person, kind: act.kind.rawValue,
            object: act.object, before: act.before, after: act.after, reason: act.by.reason,
            correlationId: act.by.correlationID)
    }
}
