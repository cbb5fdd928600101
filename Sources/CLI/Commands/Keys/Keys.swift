package import ArgumentParser
import Foundation
import TollgateClient

/// `tollgate keys`.
package struct Keys: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "API keys: let programs chat on your account, within limits.",
        discussion: """
            A key spends your credits until it expires, is revoked, or has spent what you allow \
            it. Programs send it in place of a login session; this one takes it from \
            TOLLGATE_API_KEY, or from the file that TOLLGATE_API_KEY_FILE names.

            EXAMPLES:
              tollgate keys create ci --cap 5 --expires 30d
              tollgate keys list
              tollgate keys revoke tg-0H2K9QW3ZT4BM
            """,
        subcommands: [CreateKey.self, ListKeys.self, RevokeKey.self])

    package init() {}
}

/// `tollgate keys create`.
package struct CreateKey: ServiceCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a key and show it, this once.",
        discussion: """
            The key itself goes to standard output, everything else to standard error; with --to \
            it goes into a file that only you may read, and is not shown at all. Nobody can show \
            it again.

            EXAMPLES:
              tollgate keys create ci
              tollgate keys create bot --model fast --cap 10 --per-minute 60 --expires 90d
              tollgate keys create ci --to ~/.config/tollgate/ci.key
            """)
    package static let caller = Caller.person
    package static let nature = CallNature.changes

    /// What the key is called.
    @Argument(help: "What the key is called in lists.")
    package var name: String

    /// The models it may use.
    @Option(
        help: ArgumentHelp(
            "A model it may use, once for each (default: all that you may use).",
            valueName: "name"))
    package var model: [String] = []

    /// The most it may spend.
    @Option(
        help: ArgumentHelp("The most it may spend in all (default: no cap).", valueName: "credits"))
    package var cap: String?

    /// Chats it may begin in a minute.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Chats it may begin in a minute (default: as many as you).", valueName: "number"))
    package var perMinute: Int64?

    /// When it stops working.
    @Option(
        help: ArgumentHelp(
            "How long it works, such as 12h or 90d (default: for ever).", valueName: "duration"))
    package var expires: String?

    /// The file that gets the key.
    @Option(
        help: ArgumentHelp("Write the key into this file and show nothing.", valueName: "path"))
    package var to: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if let cap, (Amounts.parseCredits(cap) ?? 0) < 1 {
            throw ValidationError("--cap takes credits, such as 5 or 0.25.")
        }
        if let perMinute, perMinute < 1 {
            throw ValidationError("--per-minute takes 1 or more.")
        }
        if let expires, Moments.parseDuration(expires) == nil {
            throw ValidationError("--expires takes a duration, such as 12h or 90d.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let end = expires.flatMap(Moments.parseDuration).map {
            invocation.environment.now() + $0
        }
        let request = V1.CreateApiKeyRequest(
            name: name, expiresAtMilliseconds: end ?? 0, models: model,
            spendCapMicroCredits: cap.flatMap(Amounts.parseCredits) ?? 0,
            requestsPerMinute: perMinute ?? 0)
        // What lies there may be the only copy of another key.
        if let to, FileManager.default.fileExists(atPath: to) {
            throw CommandFailure(
                code: "conflict", message: "\(to) exists, so no key was made.",
                advice: "Name another file with --to, or remove that one first.")
        }
        let made = try await invocation.withClient { client, options in
            let keys = ApiKeysServiceClient(client)
            let made = try await keys.createApiKey(request, options: options)
            guard let to else { return made }
            do {
                try SecretFile.write(made.secret, to: to)
            } catch let problem as SecretFile.Problem {
                // The secret is lost: the key must not stay behind as one that nobody has.
                let lost = V1.RevokeApiKeyRequest(keyId: made.key?.keyId ?? "")
                _ = try await keys.revokeApiKey(lost, options: options)
                throw problem.failure(about: "The key's file", path: to)
            }
            return made
        }
        let console = invocation.console
        if invocation.isJSON {
            let secret: [(String, JSONValue)] = to == nil ? [("secret", .text(made.secret))] : []
            console.json(.object(secret + [("key", (made.key ?? V1.ApiKey()).json)]))
            return
        }
        console.note("Made \(TerminalText.line(made.key?.keyId ?? "")) for \(name).")
        if let to {
            console.note("Use it with: TOLLGATE_API_KEY_FILE=\(to) tollgate chat")
            return
        }
        console.note("Keep it well: it cannot be shown again. Programs read TOLLGATE_API_KEY.")
        console.line(TerminalText.line(made.secret))
    }
}

extension V1.ApiKey {
    /// The key as programs read it.
    var json: JSONValue {
        .object([
            ("keyId", .text(keyId)),
            ("name", .text(name)),
            ("createdAtMilliseconds", .number(createdAtMilliseconds)),
            ("expiresAtMilliseconds", .number(expiresAtMilliseconds)),
            ("models", .array(models.map { .text($0) })),
            ("spendCapMicroCredits", .number(spendCapMicroCredits)),
            ("spentMicroCredits", .number(spentMicroCredits)),
            ("heldMicroCredits", .number(heldMicroCredits)),
            ("requestsPerMinute", .number(requestsPerMinute)),
            ("lastUsedAtMilliseconds", .number(lastUsedAtMilliseconds)),
            ("revokedAtMilliseconds", .number(revokedAtMilliseconds)),
        ])
    }
}
