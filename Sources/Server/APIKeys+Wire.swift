internal import Accounts
internal import Application
internal import Auth
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// API keys on the wire.
struct APIKeysHandlers: ApiKeysServiceHandlers {
    let caller: CallerIdentity
    let keys: APIKeys

    func createApiKey(_ request: V1.CreateApiKeyRequest, _ context: ServerCallContext)
        async throws -> V1.CreateApiKeyResponse
    {
        let account = try await caller.person(of: context)
        // Nothing is called so, and the refusal repeats what was asked for.
        guard
            request.models.allSatisfy({ $0.unicodeScalars.count <= Limits.modelNameCharacters })
        else {
            throw Failure(.notFound, "There is no model with so long a name; list the models.")
        }
        let wish = APIKeys.Wish(
            name: request.name, models: request.models.map(ModelName.init(rawValue:)),
            spendCap: request.spendCapMicroCredits == 0
                ? nil : Credits(micro: request.spendCapMicroCredits),
            requestsPerMinute: request.requestsPerMinute == 0 ? nil : request.requestsPerMinute,
            expiresAt: request.expiresAtMilliseconds == 0
                ? nil : Timestamp(milliseconds: request.expiresAtMilliseconds))
        let made = try await keys.create(wish, for: account.id)
        return V1.CreateApiKeyResponse(secret: made.secret.text, key: V1.ApiKey(made.key))
    }

    func listApiKeys(_ request: V1.ListApiKeysRequest, _ context: ServerCallContext)
        async throws -> V1.ListApiKeysResponse
    {
        let account = try await caller.person(of: context)
        return V1.ListApiKeysResponse(
            keys: try await keys.list(of: account.id).map(V1.ApiKey.init))
    }

    func revokeApiKey(_ request: V1.RevokeApiKeyRequest, _ context: ServerCallContext)
        async throws -> V1.RevokeApiKeyResponse
    {
        let account = try await caller.person(of: context)
        guard let id = APIKeyID(shown: request.keyId) else {
            throw Failure(
                .invalidRequest, "An API key is named by tg- and 13 letters and digits.")
        }
        return V1.RevokeApiKeyResponse(
            key: V1.ApiKey(try await keys.revoke(id, of: account.id)))
    }
}

extension V1.ApiKey {
    fileprivate init(_ key: APIKey) {
        self.init(
            keyId: key.id.shown, name: key.name,
            createdAtMilliseconds: key.createdAt.milliseconds,
            expiresAtMilliseconds: key.expiresAt?.milliseconds ?? 0,
            models: key.models.map(\.rawValue), spendCapMicroCredits: key.spendCap?.micro ?? 0,
            spentMicroCredits: key.spent.micro, heldMicroCredits: key.held.micro,
            requestsPerMinute: key.requestsPerMinute ?? 0,
            lastUsedAtMilliseconds: key.lastUsedAt?.milliseconds ?? 0,
            revokedAtMilliseconds: key.revokedAt?.milliseconds ?? 0)
    }
}
