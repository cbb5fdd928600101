package import Chat
package import TollgateKernel

/// People's own keys at providers: bound, listed and removed by the person who pays there.
package struct OwnKeys: Sendable {
    /// A provider that a key can be bound for.
    package struct Provider: Hashable, Sendable {
        /// The channel's stable key.
        package var channel: String
        /// The enabled models it answers, in the operator's order.
        package var models: [ModelName]
        /// The person's key, if there is one.
        package var key: OwnKey?
    }

    private let ports: Ports
    private let catalogue: Catalogue
    private let vault: Vault

    /// Makes the use case.
    package init(_ ports: Ports, catalogue: Catalogue, vault: Vault) {
        self.ports = ports
        self.catalogue = catalogue
        self.vault = vault
    }

    /// Every provider of an enabled model, with the account's key there, by name.
    package func providers(for account: AccountID) async throws -> [Provider] {
        let models = try await modelsByChannel()
        let keys = try await ports.store.read { tx in try tx.ownKeys.ownKeys(of: account) }
        // A provider that answers no model any more is listed as long as a key is bound there.
        let channels = Set(models.keys).union(keys.map(\.channel))
        return channels.sorted().map { channel in
            Provider(
                channel: channel, models: models[channel] ?? [],
                key: keys.first { $0.channel == channel })
        }
    }

    /// Binds a key, in the place of one that is there: from now on the person's questions to the
    /// provider's models go there under it, and cost no credits.
    ///
    /// - Throws: `invalid_request` for what can be no key, `not_found` for an unknown provider,
    ///   `conflict` with ``Limits/ownKeysOfAccount`` keys.
    package func bind(_ key: String, to channel: String, for account: AccountID) async throws
        -> OwnKey
    {
        guard OwnKey.isWellFormed(key) else {
            throw Failure(
                .invalidRequest,
                "A provider's key has \(Limits.ownKeyBytes.lowerBound) to "
                    + "\(Limits.ownKeyBytes.upperBound) visible ASCII characters.")
        }
        guard try await modelsByChannel()[channel] != nil else { throw Self.unknownProvider }
        let own = OwnKey(
            account: account, channel: channel,
            sealed: try vault.seal(key, label: OwnKey.label(account: account, channel: channel)),
            hint: OwnKey.hint(of: key), createdAt: ports.clock.now())
        try await ports.store.write { tx in
            try tx.checkInUse(account)
            let others = try tx.ownKeys.ownKeys(of: account).filter { $0.channel != channel }
            guard others.count < Limits.ownKeysOfAccount else {
                throw Failure(
                    .conflict,
                    "You can bind \(Limits.ownKeysOfAccount) keys at most; remove one first.")
            }
            try tx.ownKeys.save(own)
        }
        return own
    }

    /// Removes a key; calls under way end with it.
    ///
    /// - Throws: `not_found` if there is none.
    package func remove(from channel: String, for account: AccountID) async throws {
        let wasThere = try await ports.store.write { tx in
            try tx.ownKeys.removeOwnKey(channel: channel, of: account)
        }
        guard wasThere else {
            throw Failure(.notFound, "You have no key of your own at this provider.")
        }
    }

    private func modelsByChannel() async throws -> [String: [ModelName]] {
        let offer = try await catalogue.snapshot()
        return offer.models.reduce(into: [:]) { models, model in
            for route in offer.routes[model.name] ?? [] {
                models[route.channel, default: []].append(model.name)
            }
        }
    }

    private static let unknownProvider = Failure(
        .notFound, "There is no provider of this name; list the providers.")
}
