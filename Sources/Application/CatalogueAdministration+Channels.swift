package import Chat
package import Operations
internal import TollgateKernel

extension CatalogueAdministration {
    /// How an operator wants a channel to be.
    package struct ChannelWish: Sendable {
        /// The channel's key.
        package var key: String
        /// The interface the provider speaks.
        package var kind: ModelEndpoint.Kind
        /// Where the provider is reached.
        package var baseURL: String
        /// The provider's key; nil keeps the one that is there.
        package var apiKey: String?
        /// Whether the key may go to another machine over plain HTTP.
        package var allowsPlain: Bool
        /// Whether a new one may be asked; one that there is stays as it is.
        package var isInUse: Bool
        /// What it answers.
        package var offers: [ChannelOffer]

        /// Makes a wish.
        package init(
            key: String, kind: ModelEndpoint.Kind, baseURL: String, apiKey: String?,
            allowsPlain: Bool, isInUse: Bool, offers: [ChannelOffer]
        ) {
            self.key = key
            self.kind = kind
            self.baseURL = baseURL
            self.apiKey = apiKey
            self.allowsPlain = allowsPlain
            self.isInUse = isInUse
            self.offers = offers
        }
    }

    /// Every channel, in use or not, by key.
    package func channels() async throws -> [StockedChannel] {
        try await ports.store.read { tx in try tx.chat.channels(limit: Limits.channels) }
    }

    /// Makes a channel, or changes one for calls from now on.
    ///
    /// No operator's change takes a key to another address than it was given for: who may change an
    /// address could otherwise have it sent to themselves, the operator's and those that people
    /// bound here. Whoever writes the store itself still can, because a key is sealed for its
    /// channel and not for its address.
    ///
    /// - Throws: `invalid_request` for what is beyond a bound, a new address without its key, or
    ///   one where the key could be read on its way; `not_found` for a model that there is not;
    ///   `conflict` for a new address while people have keys of their own for the old one, and for
    ///   one channel too many.
    package func set(_ wish: ChannelWish, by operatorOf: ActedBy) async throws -> StockedChannel {
        let offers = try ChannelOffer.checked(wish.offers)
        let channel = try Channel(
            key: wish.key, kind: wish.kind, baseURL: wish.baseURL,
            sealedAPIKey: try sealed(wish), keyHint: wish.apiKey.map(OwnKey.hint) ?? "",
            isInUse: wish.isInUse
        ).checked()
        if wish.apiKey != nil, !wish.allowsPlain {
            guard ProviderAddress(channel.baseURL)?.isExposed == false else {
                throw Failure(
                    .invalidRequest,
                    "Over http:// to another machine a key can be read on its way; use https://, "
                        + "or allow it (--insecure).")
            }
        }
        return try await change(.channelSet, channel.key, by: operatorOf) { tx in
            let old = try tx.chat.channel(channel.key)
            if old?.channel.baseURL != channel.baseURL || old?.channel.kind != channel.kind {
                try Self.checkMove(of: channel, from: old, wish, tx)
            }
            for offer in offers where try tx.chat.model(offer.model) == nil {
                throw Failure(
                    .notFound, "There is no model \(offer.model) to answer; make it first.")
            }
            var new = StockedChannel(channel: channel, offers: offers)
            if let kept = old?.channel {
                // Whoever reads a channel, changes it and sends it back may be late: one that was
                // disabled meanwhile stays so.
                new.channel.isInUse = kept.isInUse
                if wish.apiKey == nil {
                    new.channel.sealedAPIKey = kept.sealedAPIKey
                    new.channel.keyHint = kept.keyHint
                }
            }
            try tx.chat.save(new)
            let note = wish.apiKey == nil ? "" : ", given now"
            return Change(
                before: old?.summaryLine(), after: new.summaryLine(ofKey: note), value: new)
        }
    }

    private func sealed(_ wish: ChannelWish) throws -> [UInt8] {
        guard let apiKey = wish.apiKey else { return [] }
        guard OwnKey.isWellFormed(apiKey) else {
            throw Failure(
                .invalidRequest,
                "A provider's key has \(Limits.ownKeyBytes.lowerBound) to "
                    + "\(Limits.ownKeyBytes.upperBound) visible ASCII characters.")
        }
        return try vault.seal(apiKey, label: Vault.label(ofChannel: wish.key))
    }

    /// Checks a channel that is new, or is to reach its provider elsewhere than before.
    private static func checkMove(
        of channel: Channel, from old: StockedChannel?, _ wish: ChannelWish, _ tx: any Transaction
    ) throws {
        guard wish.apiKey != nil else {
            throw Failure(
                .invalidRequest,
                "A provider's key goes to the address it was given for alone: give it with a new "
                    + "address.")
        }
        guard old != nil else {
            guard try tx.chat.channels(limit: .max).count < Limits.channels else {
                throw Failure(
                    .conflict,
                    "There are \(Limits.channels) channels; change one that is out of use.")
            }
            return
        }
        guard try !tx.ownKeys.hasOwnKeys(channel: channel.key) else {
            throw Failure(
                .conflict,
                "People bound keys of their own for this channel's address; make another channel "
                    + "for the new one, and disable this one.")
        }
    }

    /// Takes a channel out of use, or puts it into use again; calls under way go on.
    ///
    /// - Throws: `not_found` for an unknown channel.
    package func setInUse(
        _ isInUse: Bool, channel key: String, by operatorOf: ActedBy
    ) async throws -> StockedChannel {
        let kind: AdminAct.Kind = isInUse ? .channelEnabled : .channelDisabled
        return try await change(kind, key, by: operatorOf) { tx in
            guard let old = try tx.chat.channel(key) else {
                throw Failure(.notFound, "There is no channel of this key; list the channels.")
            }
            var new = old
            new.channel.isInUse = isInUse
            try tx.chat.save(new)
            return Change(before: old.summaryLine(), after: new.summaryLine(), value: new)
        }
    }
}

extension StockedChannel {
    /// The channel in a line of the operators' log; of its key the end alone.
    fileprivate func summaryLine(ofKey note: String = "") -> String {
        let offers = offers.map { offer in
            "\(offer.model) as \(offer.upstreamModel) (\(offer.priority), \(offer.weight))"
        }
        return "\(channel.isInUse ? "in use" : "disabled"), \(channel.kind.rawValue) at "
            + "\(channel.baseURL), key \(channel.keyHint)\(note), answers "
            + (offers.isEmpty ? "nothing" : offers.joined(separator: ", "))
    }
}
