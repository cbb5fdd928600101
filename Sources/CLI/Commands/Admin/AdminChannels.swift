package import ArgumentParser
import TollgateClient

/// `tollgate admin channels`.
package struct AdminChannels: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "channels",
        abstract: "Who answers: providers' addresses and keys, and the models they answer.",
        discussion: """
            Of the channels of a model those of the lowest priority are asked first, each as often \
            as its weight says; one that fails makes way for the next. A change holds for calls \
            that begin from now on; every server goes by it within a second. Keys are stored \
            sealed, and never shown.

            EXAMPLES:
              tollgate admin channels list
              tollgate admin channels set openai --url https://api.openai.com/v1 \\
                --key-from openai.key --model fast=gpt-4o-mini --reason 'Opening'
              tollgate admin channels disable openai --reason 'Outage'
            """,
        subcommands: [
            ListChannels.self, SetChannel.self, DisableChannel.self, EnableChannel.self,
        ])

    package init() {}
}

/// `tollgate admin channels list`.
package struct ListChannels: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List every channel, in use or disabled, a line for each model it answers.",
        discussion: """
            Of a key its last four characters are shown, if it is long enough to bear that.

            EXAMPLES:
              tollgate admin channels list
              tollgate admin channels list --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        let channels = try await invocation.withClient { client, options in
            try await CatalogueServiceClient(client)
                .listChannels(V1.ListChannelsRequest(), options: options).channels
        }
        if invocation.isJSON {
            invocation.console.json(.object([("channels", .array(channels.map(\.json)))]))
        } else {
            invocation.console.channels(channels)
        }
    }
}

/// `tollgate admin channels set`.
package struct SetChannel: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Make a channel, or change one for calls from now on.",
        discussion: """
            What is not named stays as it is. A new channel needs an address and its key, and so \
            does one whose address changes: a key goes to the address that it was given for, and \
            nowhere else. While people have keys of their own for a channel, its address stays.

            The key is read from a file that only you may read (--key-from), or from standard \
            input, where it is not shown while you type; never from the command line, which others \
            on this machine can see.

            EXAMPLES:
              tollgate admin channels set openai --url https://api.openai.com/v1 \\
                --key-from openai.key --model fast=gpt-4o-mini --reason 'Opening'
              pass show zhipu | tollgate admin channels set zhipu --key-from - \\
                --url https://open.bigmodel.cn/api/paas/v4 --model fast=glm-4-flash \\
                --priority 1 --reason 'For when the other one fails'
              tollgate admin channels set openai --key-from new.key --reason 'Rotated'
              tollgate admin channels set openai --without fast --reason 'Too dear'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The channel.
    @Argument(help: "The channel's key: lower-case letters, digits and hyphens.")
    package var key: String

    /// Where the provider is.
    @Option(
        help: ArgumentHelp(
            "Where the provider is, such as https://api.openai.com/v1.", valueName: "url"))
    package var url: String?

    /// What the provider speaks.
    @Option(help: ArgumentHelp("The interface it speaks: openai.", valueName: "kind"))
    package var kind: String?

    /// Where the key is read from.
    @Option(
        help: ArgumentHelp(
            "Read the provider's key from this file; - is standard input.", valueName: "path"))
    package var keyFrom: String?

    /// What it answers.
    @Option(
        name: .customLong("model"),
        help: ArgumentHelp(
            "A model that it answers, by its own name or as NAME=THEIRS; may be repeated.",
            valueName: "model"))
    package var models: [String] = []

    /// What it answers no longer.
    @Option(
        name: .customLong("without"),
        help: ArgumentHelp(
            "A model that it answers no longer; may be repeated.", valueName: "model"))
    package var dropped: [String] = []

    /// When it is asked.
    @Option(
        help: ArgumentHelp(
            "Lower is asked first; of the models named, else of all it answers.",
            valueName: "number"))
    package var priority: Int64?

    /// How often it is asked.
    @Option(
        help: ArgumentHelp(
            "Its share among those of the same priority, from 1.", valueName: "number"))
    package var weight: Int64?

    /// Whether the key may be read on its way.
    @Flag(help: "Let the key go to another machine over http://, where it can be read.")
    package var insecure = false

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        for model in models where Self.offer(model) == nil {
            throw ValidationError("--model takes a model, such as fast or fast=gpt-4o-mini.")
        }
        if let priority, priority < 0 { throw ValidationError("--priority takes a number from 0.") }
        if let weight, weight < 1 { throw ValidationError("--weight takes a number from 1.") }
    }

    package func perform(_ invocation: Invocation) async throws {
        let by = try act.actedBy(invocation)
        // Read before the channel is: who types one must not send back what is old by then.
        var given: String?
        if let keyFrom {
            given = try await invocation.providerKey(
                from: keyFrom == "-" ? nil : keyFrom, flag: "--key-from")
        }
        let channel = try await invocation.withClient { client, options in
            let catalogue = CatalogueServiceClient(client)
            let channels = try await catalogue.listChannels(
                V1.ListChannelsRequest(), options: options
            ).channels
            let old = channels.first { $0.key == key }
            let new = try changed(old)
            var request = V1.SetChannelRequest(by: by, channel: new, allowsPlain: insecure)
            if let given {
                request.apiKey = given
            } else if old?.baseUrl != new.baseUrl || old?.kind != new.kind {
                request.apiKey = try await invocation.providerKey(from: nil, flag: "--key-from")
            }
            return try await catalogue.setChannel(request, options: options).channel
        }
        guard let channel else { return }
        invocation.show(channel)
        if channel.disabled {
            invocation.console.note(
                "It stays disabled; to use it: tollgate admin channels enable "
                    + TerminalText.line(channel.key))
        }
    }

    private func changed(_ old: V1.CatalogueChannel?) throws -> V1.CatalogueChannel {
        guard let address = url.map(Self.withoutSlash) ?? old?.baseUrl else {
            throw CommandFailure(
                .usage, "There is no channel \(TerminalText.line(key)) yet.",
                advice: "A new one needs --url.")
        }
        var channel = old ?? V1.CatalogueChannel(key: key, kind: "openai")
        channel.baseUrl = address
        channel.kind = kind ?? channel.kind
        for model in dropped {
            guard channel.offers.contains(where: { $0.model == model }) else {
                throw CommandFailure(
                    .usage, "The channel does not answer \(TerminalText.line(model)).",
                    advice: "See what it answers with: tollgate admin channels list")
            }
            channel.offers.removeAll { $0.model == model }
        }
        let named = models.compactMap(Self.offer)
        for (model, theirs) in named {
            if let place = channel.offers.firstIndex(where: { $0.model == model }) {
                channel.offers[place].upstreamModel =
                    theirs ?? channel.offers[place].upstreamModel
            } else {
                channel.offers.append(
                    V1.ChannelOffer(model: model, upstreamModel: theirs ?? model, weight: 1))
            }
        }
        for place in channel.offers.indices
        where named.isEmpty || named.contains(where: { $0.model == channel.offers[place].model }) {
            channel.offers[place].priority = priority ?? channel.offers[place].priority
            channel.offers[place].weight = weight ?? channel.offers[place].weight
        }
        return channel
    }

    /// A model with the provider's name of it, if one is told; nil for neither.
    private static func offer(_ text: String) -> (model: String, theirs: String?)? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty }), let model = parts.first else { return nil }
        return (String(model), parts.count == 2 ? String(parts[1]) : nil)
    }

    /// An address as it is pasted often ends in a slash.
    private static func withoutSlash(_ url: String) -> String {
        url.last == "/" ? String(url.dropLast()) : url
    }
}

/// `tollgate admin channels disable`.
package struct DisableChannel: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Ask nothing of a channel any more; calls under way go on.",
        discussion: """
            Every server goes by it within a second.

            EXAMPLES:
              tollgate admin channels disable openai --reason 'Outage'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The channel.
    @Argument(help: "The channel's key.")
    package var key: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.setStatus(ofChannel: key, disabled: true, act)
    }
}

/// `tollgate admin channels enable`.
package struct EnableChannel: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Use a channel again that was disabled.",
        discussion: """
            Every server goes by it within a second.

            EXAMPLES:
              tollgate admin channels enable openai --reason 'It is back'
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.changes

    /// The channel.
    @Argument(help: "The channel's key.")
    package var key: String

    /// Who does it, and why.
    @OptionGroup(title: "Act")
    package var act: ActOptions

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func perform(_ invocation: Invocation) async throws {
        try await invocation.setStatus(ofChannel: key, disabled: false, act)
    }
}

extension Invocation {
    fileprivate func setStatus(ofChannel key: String, disabled: Bool, _ act: ActOptions)
        async throws
    {
        let request = V1.SetChannelStatusRequest(
            by: try act.actedBy(self), key: key, disabled: disabled)
        let channel = try await withClient { client, options in
            try await CatalogueServiceClient(client).setChannelStatus(request, options: options)
                .channel
        }
        if let channel { show(channel) }
    }

    fileprivate func show(_ channel: V1.CatalogueChannel) {
        if isJSON {
            console.json(channel.json)
        } else {
            console.channels([channel])
        }
    }
}

extension Console {
    fileprivate func channels(_ channels: [V1.CatalogueChannel]) {
        var table = TextTable([
            ("CHANNEL", .left), ("STATE", .left), ("MODEL", .left), ("THEIR NAME", .left),
            ("PRIORITY", .right), ("WEIGHT", .right), ("KEY", .left), ("ADDRESS", .flexible),
        ])
        for channel in channels {
            let head = [channel.key, channel.disabled ? "disabled" : "in use"]
            let tail = [channel.keyHint, channel.baseUrl]
            let offers = channel.offers.map { offer in
                [offer.model, offer.upstreamModel, "\(offer.priority)", "\(offer.weight)"]
            }
            for offer in offers.isEmpty ? [["-", "-", "-", "-"]] : offers {
                table.add(head + offer + tail)
            }
        }
        self.table(
            table,
            ifEmpty: "There are no channels yet. Make one with: tollgate admin channels set")
    }
}

extension V1.CatalogueChannel {
    fileprivate var json: JSONValue {
        .object([
            ("key", .text(key)),
            ("disabled", .bool(disabled)),
            ("kind", .text(kind)),
            ("baseUrl", .text(baseUrl)),
            ("keyHint", .text(keyHint)),
            ("offers", .array(offers.map(\.json))),
        ])
    }
}

extension V1.ChannelOffer {
    fileprivate var json: JSONValue {
        .object([
            ("model", .text(model)),
            ("upstreamModel", .text(upstreamModel)),
            ("priority", .number(priority)),
            ("weight", .number(weight)),
        ])
    }
}
