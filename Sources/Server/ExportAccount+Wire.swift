internal import Accounts
internal import Application
internal import Auth
internal import Chat
internal import Operations
internal import Orders
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

// What is kept about a person, on the wire.
extension AccountsHandlers {
    func exportMyAccount(_ request: V1.ExportMyAccountRequest, _ context: ServerCallContext)
        async throws -> V1.ExportMyAccountResponse
    {
        let page = try await export.page(
            after: request.after.isEmpty ? nil : request.after,
            for: CallerIdentity.token(of: context))
        var response = V1.ExportMyAccountResponse(
            section: page.section.rawValue, next: page.next ?? "")
        switch page.rows {
        case .account(let profile): response.account = V1.ExportedAccount(profile)
        case .trialDays(let days):
            response.trialDays = days.map {
                V1.ExportedTrialDay(day: $0.day.number, usedCalls: $0.used)
            }
        case .movements(let entries):
            response.movements = entries.compactMap { entry in
                entry.transfer.customer.map { V1.LedgerEntry(entry, of: $0) }
            }
        case .orders(let orders):
            response.orders = orders.map { V1.ExportedOrder($0.order, $0.payments) }
        case .calls(let calls):
            response.calls = calls.map { V1.ExportedCall($0.hold, $0.usage) }
        case .refusals(let refusals):
            response.refusals = refusals.map {
                V1.ExportedRefusal(
                    model: $0.model.rawValue, code: $0.code, atMilliseconds: $0.at.milliseconds,
                    times: $0.times)
            }
        case .apiKeys(let keys): response.apiKeys = keys.map(V1.ExportedApiKey.init)
        case .loginSessions(let sessions):
            response.loginSessions = sessions.map {
                V1.ExportedLoginSession(
                    sessionId: $0.id.description, device: $0.device,
                    createdAtMilliseconds: $0.createdAt.milliseconds,
                    expiresAtMilliseconds: $0.expiresAt.milliseconds,
                    lastUsedAtMilliseconds: $0.lastUsedAt.milliseconds)
            }
        case .messages(let messages):
            response.messages = messages.map { message in
                V1.ExportedMessage(
                    kind: message.kind.rawValue,
                    values: message.values.map { "\($0.key)=\($0.value)" }.sorted(),
                    state: message.state.rawValue,
                    createdAtMilliseconds: message.createdAt.milliseconds)
            }
        }
        return response
    }
}

extension V1.ExportedAccount {
    fileprivate init(_ profile: ExportAccount.Profile) {
        let account = profile.account
        self.init(
            accountId: account.id.description, openid: profile.openID,
            status: account.status.rawValue, tier: account.tier.name.rawValue,
            whiteListed: account.isWhiteListed,
            openedAtMilliseconds: account.openedAt.milliseconds,
            postedMicroCredits: profile.ledger.posted, heldMicroCredits: profile.ledger.held,
            lots: profile.lots.map(V1.CreditLot.init),
            providerKeys: profile.ownKeys.map { V1.ProviderKey($0, $0.channel, models: []) },
            following: profile.following?.isFollowing ?? false,
            followingSinceMilliseconds: profile.following?.since.milliseconds ?? 0)
    }
}

extension V1.ExportedOrder {
    fileprivate init(_ order: Order, _ payments: [PaymentRecord]) {
        self.init(
            orderId: order.id.description, outTradeNumber: order.outTradeNumber,
            idempotencyKey: order.idempotencyKey.rawValue, productKey: order.product.rawValue,
            productName: order.productName, totalFen: order.total.fen,
            microCredits: order.credits.micro, state: order.state.rawValue,
            createdAtMilliseconds: order.createdAt.milliseconds,
            expiresAtMilliseconds: order.expiresAt.milliseconds,
            paidAtMilliseconds: order.paidAt?.milliseconds ?? 0,
            payments: payments.map {
                V1.ExportedPayment(
                    transactionId: $0.transactionID, totalFen: $0.total.fen,
                    paidAtMilliseconds: $0.paidAt.milliseconds,
                    bookedAtMilliseconds: $0.bookedAt.milliseconds)
            })
    }
}

extension V1.ExportedCall {
    fileprivate init(_ hold: Hold, _ usage: UsageRecord?) {
        self.init(
            requestId: hold.requestID.rawValue, source: hold.source.rawValue,
            state: hold.state.rawValue, reservedMicroCredits: hold.amount.micro,
            chargedMicroCredits: usage?.charged.micro ?? 0,
            createdAtMilliseconds: hold.createdAt.milliseconds,
            endedAtMilliseconds: hold.endedAt?.milliseconds ?? 0,
            apiKeyId: hold.apiKey?.shown ?? "", model: usage?.model.rawValue ?? "",
            provider: usage?.channel ?? "", promptTokens: usage?.usage.promptTokens ?? 0,
            completionTokens: usage?.usage.completionTokens ?? 0,
            estimated: usage?.isEstimated ?? false, outcome: usage?.outcome.rawValue ?? "")
    }
}

extension V1.ExportedApiKey {
    fileprivate init(_ key: APIKey) {
        self.init(
            keyId: key.id.shown, name: key.name, models: key.models.map(\.rawValue),
            spendCapMicroCredits: key.spendCap?.micro ?? 0, spentMicroCredits: key.spent.micro,
            createdAtMilliseconds: key.createdAt.milliseconds,
            expiresAtMilliseconds: key.expiresAt?.milliseconds ?? 0,
            revokedAtMilliseconds: key.revokedAt?.milliseconds ?? 0,
            lastUsedAtMilliseconds: key.lastUsedAt?.milliseconds ?? 0)
    }
}
