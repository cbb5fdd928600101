package import TollgateKernel

/// A provider's endpoint with the key it is asked by.
package struct Channel: Hashable, Sendable {
    /// Its stable key.
    package var key: String
    /// The interface the provider speaks.
    package var kind: ModelEndpoint.Kind
    /// Such as `https://api.openai.com/v1`, without a slash at its end.
    package var baseURL: String
    /// The provider's key, sealed under the master key (AES-256-GCM).
    package var sealedAPIKey: [UInt8]
    /// What lists show of the provider's key (``OwnKey/hint(of:)``).
    package var keyHint: String
    /// Whether it may be asked.
    package var isInUse: Bool

    /// Makes a value.
    package init(
        key: String, kind: ModelEndpoint.Kind, baseURL: String, sealedAPIKey: [UInt8],
        keyHint: String, isInUse: Bool
    ) {
        self.key = key
        self.kind = kind
        self.baseURL = baseURL
        self.sealedAPIKey = sealedAPIKey
        self.keyHint = keyHint
        self.isInUse = isInUse
    }

    /// Checks what an operator wants of a channel.
    ///
    /// - Throws: `invalid_request` with the bound that it does not keep.
    package func checked() throws(Failure) -> Channel {
        guard key.isStableName else {
            throw Failure(
                .invalidRequest,
                "A channel's key has 1 to \(Limits.stableNameBytes) lower-case letters, digits and "
                    + "hyphens.")
        }
        guard ProviderAddress(baseURL) != nil else {
            throw Failure(
                .invalidRequest,
                "A channel's address is like https://api.openai.com/v1: without a name before the "
                    + "host, “?”, “#” or a slash at its end, at most "
                    + "\(Limits.channelAddressBytes) bytes.")
        }
        return self
    }
}

/// A model that a channel answers.
package struct ChannelOffer: Hashable, Sendable {
    /// What users call it.
    package var model: ModelName
    /// The provider's own name of it.
    package var upstreamModel: String
    /// Lower is asked first.
    package var priority: Int64
    /// The share among channels of the same priority, at least 1.
    package var weight: Int64

    /// Makes a value.
    package init(model: ModelName, upstreamModel: String, priority: Int64, weight: Int64) {
        self.model = model
        self.upstreamModel = upstreamModel
        self.priority = priority
        self.weight = weight
    }

    /// Checks what an operator wants a channel to answer.
    ///
    /// - Throws: `invalid_request` with the bound that it does not keep.
    package static func checked(_ offers: [ChannelOffer]) throws(Failure) -> [ChannelOffer] {
        guard offers.count <= Limits.offersOfChannel,
            Set(offers.map(\.model)).count == offers.count
        else {
            throw Failure(
                .invalidRequest,
                "A channel answers at most \(Limits.offersOfChannel) models, each named once.")
        }
        for offer in offers {
            guard (1...Limits.upstreamModelBytes).contains(offer.upstreamModel.utf8.count),
                offer.upstreamModel.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else {
                throw Failure(
                    .invalidRequest,
                    "A provider's name of a model has 1 to \(Limits.upstreamModelBytes) visible "
                        + "ASCII characters.")
            }
            guard (0...Limits.channelPriority).contains(offer.priority),
                (1...Limits.channelWeight).contains(offer.weight)
            else {
                throw Failure(
                    .invalidRequest,
                    "A priority is 0 to \(Limits.channelPriority), a weight 1 to "
                        + "\(Limits.channelWeight).")
            }
        }
        return offers
    }
}

/// A channel with what it answers.
package struct StockedChannel: Hashable, Sendable {
    /// The channel.
    package var channel: Channel
    /// What it answers, by model.
    package var offers: [ChannelOffer]

    /// Makes a value.
    package init(channel: Channel, offers: [ChannelOffer]) {
        self.channel = channel
        self.offers = offers
    }
}

/// Where a provider is reached, read from an operator's text.
package struct ProviderAddress: Hashable, Sendable {
    /// Whether what is sent there can be read on its way: plain HTTP to another machine.
    package let isExposed: Bool

    /// Reads an address; nil for what is none, or holds what belongs elsewhere: a name and
    /// password, which lists would show, or a query.
    package init?(_ text: String) {
        guard (1...Limits.channelAddressBytes).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), text.last != "/",
            !text.contains(where: { "?#@\\".contains($0) })
        else { return nil }
        let isPlain = text.hasPrefix("http://")
        guard isPlain || text.hasPrefix("https://") else { return nil }
        let authority = text.dropFirst(isPlain ? 7 : 8).prefix { $0 != "/" }
        guard let host = Self.host(of: authority), !host.isEmpty else { return nil }
        isExposed = isPlain && !Self.isThisMachine(host)
    }

    /// The host without its port; nil if the port is none.
    private static func host(of authority: Substring) -> Substring? {
        var host = authority
        var rest = Substring()
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[...end]
            rest = authority[authority.index(after: end)...]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            rest = authority[colon...]
        }
        guard rest.isEmpty else {
            let digits = rest.dropFirst()
            let port = rest.first == ":" && areDigits(digits) ? Int(digits) : nil
            return port.map { (1...65_535).contains($0) } == true ? host : nil
        }
        return host
    }

    /// Whether a host is this machine by what it is: a name that begins like an address of this
    /// machine may lead anywhere.
    private static func isThisMachine(_ host: Substring) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { areDigits($0) && UInt8($0) != nil }
    }

    /// Whether a text is a number and nothing else: a sign before it would make it a name, which a
    /// resolver may look up.
    private static func areDigits(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
