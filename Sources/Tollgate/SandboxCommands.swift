import ArgumentParser
import CLI
import Foundation
import Sandbox
import TollgateKernel

/// `tollgate sandbox …`: the role, and what a person does with their phone.
struct SandboxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "Plays WeChat, WeChat Pay and the model providers on this machine.",
        discussion: """
            Without a subcommand it runs the sandbox; its page is a phone in the browser.

            EXAMPLES:
              tollgate sandbox                       run it
              tollgate sandbox follow ann            ann follows the official account
              tollgate sandbox send ann 登录          and asks for a login code
              tollgate sandbox scan ann http://…     or scans a login's QR code
              tollgate sandbox pay ann TG…           ann pays an order
              tollgate sandbox lose-notifications 1  the next payment is not told to us
              tollgate sandbox channel a --fail 503  provider channel a fails
            """,
        subcommands: [
            SandboxServe.self, SandboxFollow.self, SandboxUnfollow.self, SandboxSend.self,
            SandboxScan.self, SandboxPay.self, SandboxTrades.self, SandboxMessages.self,
            SandboxLose.self,
            SandboxChannel.self,
        ], defaultSubcommand: SandboxServe.self)
}

/// `tollgate sandbox serve`.
struct SandboxServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the sandbox until told to stop.",
        discussion: """
            EXAMPLES:
              tollgate sandbox serve --minimum-expiry 1
            """)

    @OptionGroup var options: RoleOptions
    @Option(
        name: .long, help: "Where to listen (TOLLGATE_SANDBOX_ADDRESS; default 127.0.0.1:7490).")
    var listen: String?
    @Option(
        name: .long,
        help: """
            Where the web role listens: pushes and notifications go there (TOLLGATE_WEB_ADDRESS; \
            default 127.0.0.1:7480).
            """)
    var web: String?
    @Option(
        name: .long,
        help: """
            The shortest life of an order in seconds (TOLLGATE_SANDBOX_MINIMUM_EXPIRY_SECONDS; \
            default 60, which is WeChat's own).
            """)
    var minimumExpiry: Int?
    @Option(
        name: .long,
        help: """
            What gaps between repeated notifications are multiplied with \
            (TOLLGATE_SANDBOX_NOTIFY_SCHEDULE_SCALE; default 1).
            """)
    var notifyScale: Double?
    @Option(name: .long, help: "The pace of answers (TOLLGATE_SANDBOX_TOKENS_PER_SECOND).")
    var tokensPerSecond: Double?

    func run() async throws {
        try await role {
            _ = try options.observability()
            let settings = try await options.settings([
                "sandbox.address": listen, "web.address": web,
                "sandbox.minimumExpirySeconds": minimumExpiry.map(String.init),
                "sandbox.notifyScheduleScale": notifyScale.map { "\($0)" },
                "sandbox.tokensPerSecond": tokensPerSecond.map { "\($0)" },
            ])
            try await Roles.run([SandboxRole(settings: settings, onListening: Ready.tell)])
        }
    }
}

/// Where a running sandbox is, and how to write.
struct SandboxControlOptions: ParsableArguments {
    @Option(
        name: .customLong("sandbox"),
        help: "Where the sandbox listens (TOLLGATE_SANDBOX_ADDRESS; default 127.0.0.1:7490).")
    var address: String?
    @Flag(name: .long, help: "Writes the result as JSON.") var json = false

    /// Does something on a phone and writes what it shows.
    /// - Throws: `unavailable` if the official account's server is silent, or says what none may.
    func act(_ body: (SandboxControl) async throws -> PhoneOutcome) async throws {
        let outcome = try await ask(body)
        if json || outcome.fault == nil {
            try write(outcome, outcome.reply ?? "Done; the account did not answer.")
        }
        guard let fault = outcome.fault else { return }
        throw CommandFailure(
            code: "unavailable",
            message: "The official account's server did not answer as it should: \(fault).",
            advice: "Is the web role running? Start it with: tollgate web; or everything with: "
                + "tollgate up")
    }

    /// Lends a control and writes what came of it.
    func perform<Value: Encodable & Sendable>(
        _ body: (SandboxControl) async throws -> Value, text: (Value) -> String
    ) async throws {
        let value = try await ask(body)
        try write(value, text(value))
    }

    private func ask<Value: Sendable>(
        _ body: (SandboxControl) async throws -> Value
    ) async throws -> Value {
        let variables = CommandEnvironment.current.variables
        let address = address ?? variables["TOLLGATE_SANDBOX_ADDRESS"]
        let control = SandboxControl(baseURL: "http://\(address ?? "127.0.0.1:7490")")
        do {
            return try await body(control)
        } catch let error as SandboxControlError {
            throw CommandFailure(
                code: Self.code(error.status), message: error.message,
                advice: error.status == nil ? Self.whereItIs : "")
        }
    }

    private func write(_ value: some Encodable, _ text: String) throws {
        let console = CommandEnvironment.current.console
        guard json else {
            console.line(text)
            return
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        console.line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private static let whereItIs =
        "Start one with: tollgate up; or say with --sandbox where it listens."

    private static func code(_ status: Int?) -> String {
        switch status {
        case nil: "unavailable"
        case 400, 415: "invalid_request"
        case 404: "not_found"
        default: "conflict"
        }
    }
}

/// `tollgate sandbox follow`.
struct SandboxFollow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "A person follows the official account.",
        discussion: "EXAMPLES:\n  tollgate sandbox follow ann")

    @Argument(help: "The person's phone: any name.") var phone: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.act { try await $0.follow(phone: phone) }
    }
}

/// `tollgate sandbox unfollow`.
struct SandboxUnfollow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unfollow", abstract: "A person leaves the official account.",
        discussion: "EXAMPLES:\n  tollgate sandbox unfollow ann")

    @Argument(help: "The person's phone.") var phone: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.act { try await $0.unfollow(phone: phone) }
    }
}

/// `tollgate sandbox send`.
struct SandboxSend: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "A person sends a text to the official account.",
        discussion: "EXAMPLES:\n  tollgate sandbox send ann 登录")

    @Argument(help: "The person's phone.") var phone: String
    @Argument(help: "The text.") var text: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.act { try await $0.send(text, phone: phone) }
    }
}

/// `tollgate sandbox scan`.
struct SandboxScan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "A person scans a QR code of the official account.",
        discussion: """
            Who does not follow the account yet follows it by that.

            EXAMPLES:
              tollgate sandbox scan ann http://weixin.qq.com/q/…
              tollgate sandbox send ann 42            then sends the number on the screen
            """)

    @Argument(help: "The person's phone: any name.") var phone: String
    @Argument(help: "The QR code's text, its ticket, or the scene of a printed one.")
    var code: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.act { try await $0.scan(phone: phone, scene: code) }
    }
}

/// `tollgate sandbox pay`.
struct SandboxPay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pay", abstract: "A person pays an order.",
        discussion: "EXAMPLES:\n  tollgate sandbox pay ann TG01J8…")

    @Argument(help: "The person's phone.") var phone: String
    @Argument(help: "The QR code's text, or the order's number at WeChat Pay.") var code: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.perform(
            { try await $0.pay(code, phone: phone) },
            text: { trade in
                "\(trade.outTradeNumber) is \(trade.state), \(Money(fen: trade.totalFen))."
            })
    }
}

/// `tollgate sandbox trades`.
struct SandboxTrades: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trades", abstract: "Lists the trades WeChat Pay knows, newest first.",
        discussion: "EXAMPLES:\n  tollgate sandbox trades --json")

    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.perform(
            { try await $0.trades() },
            text: { trades in
                trades.isEmpty
                    ? "No trade yet."
                    : trades.map { trade in
                        let told = trade.notifications.map(\.state).joined(separator: ", ")
                        return "\(trade.outTradeNumber)  \(trade.state)  "
                            + "\(Money(fen: trade.totalFen))  notifications: "
                            + (told.isEmpty ? "none" : told)
                    }.joined(separator: "\n")
            })
    }
}

/// `tollgate sandbox messages`.
struct SandboxMessages: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messages", abstract: "Shows what a phone shows, oldest first.",
        discussion: "EXAMPLES:\n  tollgate sandbox messages ann")

    @Argument(help: "The person's phone.") var phone: String
    @OptionGroup var options: SandboxControlOptions

    func run() async throws {
        try await options.perform(
            { try await $0.messages(phone: phone) },
            text: { messages in
                messages.isEmpty
                    ? "Nothing yet."
                    : messages.map { "\($0.kind.rawValue): \($0.text)" }.joined(separator: "\n")
            })
    }
}

/// `tollgate sandbox lose-notifications`.
struct SandboxLose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lose-notifications",
        abstract: "Loses the notifications of the coming payments.",
        discussion: """
            A lost notification is never sent again, so that only asking finds the payment.

            EXAMPLES:
              tollgate sandbox lose-notifications 1
              tollgate sandbox lose-notifications all
              tollgate sandbox lose-notifications 0
            """)

    @Argument(help: "How many payments, or “all”.") var count: String
    @OptionGroup var options: SandboxControlOptions

    func validate() throws {
        guard count == "all" || Int(count).map({ $0 >= 0 }) == true else {
            throw ValidationError("Say a number, or “all”.")
        }
    }

    func run() async throws {
        let loss = Int(count).map { NotificationLoss(next: $0) } ?? NotificationLoss(all: true)
        try await options.perform(
            { try await $0.setNotificationLoss(loss) },
            text: { _ in
                "Notifications lost from now on: \(count)."
            })
    }
}

/// `tollgate sandbox channel`.
struct SandboxChannel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel", abstract: "Says how a provider's channel behaves.",
        discussion: """
            Without options the channel behaves well again.

            EXAMPLES:
              tollgate sandbox channel a --fail 503
              tollgate sandbox channel a --cut-after 3
              tollgate sandbox channel a
            """)

    @Argument(help: "The channel: a, b or default.") var name: String
    @Option(
        name: .customLong("fail"), parsing: .unconditional,
        help: "Answers with this HTTP status, 400 to 599.")
    var failStatus: Int?
    @Option(
        name: .long, parsing: .unconditional, help: "Cuts the stream after so many pieces.")
    var cutAfter: Int?
    @Option(
        name: .long, parsing: .unconditional, help: "Falls silent after so many pieces.")
    var stallAfter: Int?
    @Flag(name: .long, help: "Answers without pauses.") var instant = false
    @OptionGroup var options: SandboxControlOptions

    func validate() throws {
        guard failStatus.map({ ChannelSwitches.failures.contains($0) }) != false else {
            throw ValidationError("--fail takes an HTTP status of 400 to 599.")
        }
        for (name, pieces) in [("cut", cutAfter), ("stall", stallAfter)] where (pieces ?? 0) < 0 {
            throw ValidationError("--\(name)-after takes 0 or more.")
        }
    }

    func run() async throws {
        var switches = ChannelSwitches()
        switches.failStatus = failStatus
        switches.cutsAfterChunks = cutAfter
        switches.stallsAfterChunks = stallAfter
        switches.isInstant = instant
        try await options.perform(
            { [switches] in try await $0.setChannel(name, switches) },
            text: { _ in
                switches == ChannelSwitches()
                    ? "Channel \(name) behaves well." : "Channel \(name) behaves as you said."
            })
    }
}
