package import ArgumentParser
package import TollgateClient

/// A command that calls a server.
package protocol ServiceCommand: AsyncParsableCommand, Sendable {
    /// Which server, which profile, which credential.
    var connection: ConnectionOptions { get }
    /// How results are written.
    var output: OutputOptions { get }
    /// As whom it calls.
    static var caller: Caller { get }
    /// What its calls do to the service; each says it, so that none that changes something is
    /// taken for harmless when its answer is lost.
    static var nature: CallNature { get }

    /// Does it.
    func perform(_ invocation: Invocation) async throws
}

extension ServiceCommand {
    /// Runs the command until it ends or Ctrl-C stops it.
    package func run() async throws {
        let environment = CommandEnvironment.current
        environment.takeSignals(environment.interrupts)
        let invocation = Invocation(
            environment: environment,
            settings: try Settings(connection, variables: environment.variables),
            caller: Self.caller, nature: Self.nature, isJSON: output.json)
        do {
            try await environment.interrupts.interruptible { try await perform(invocation) }
        } catch let error as TollgateError {
            throw invocation.failure(error)
        }
    }
}

/// One run of a command: the world outside, the settings, and how to write.
package struct Invocation: Sendable {
    /// The world outside.
    package let environment: CommandEnvironment
    /// What flags, environment and files say.
    package let settings: Settings
    /// As whom the command calls.
    package let caller: Caller
    /// What the command's calls do to the service.
    package let nature: CallNature
    /// Whether programs read the results.
    package let isJSON: Bool

    /// Where results and errors go.
    package var console: Console { environment.console }
    /// How moments are shown.
    package var moments: Moments { Moments(timeZone: environment.timeZone) }

    /// The same run as somebody else.
    package func acting(as caller: Caller) -> Invocation {
        Invocation(
            environment: environment, settings: settings, caller: caller, nature: nature,
            isJSON: isJSON)
    }

    /// Lends a client and the options that its calls need.
    ///
    /// - Parameter checksAccount: Whether an API key in the environment has to be of the account
    ///   that the login session is of, where the session is what counts.
    package func withClient<Value: Sendable>(
        checksAccount: Bool = true,
        _ body: (TollgateClient, CallOptions) async throws -> Value
    ) async throws -> Value {
        let authorization = try settings.authorization(for: caller, at: environment.now())
        let options = CallOptions(
            authorization: authorization, timeoutMilliseconds: settings.timeoutMilliseconds)
        return try await environment.servers.withClient(
            server: settings.server.description, credential: settings.credential(for: caller)
        ) { client in
            if checksAccount { try await checkOneAccount(client) }
            return try await body(client, options)
        }
    }

    /// Refuses to act for a login session of one account beside an API key of another: `quota`
    /// would tell of the one, and `buy` would pay for the other.
    private func checkOneAccount(_ client: TollgateClient) async throws {
        // A key that cannot be read, or is over, is no account's; whoever calls with it is told.
        guard caller == .person, let variable = settings.apiKeyVariable,
            let session = settings.session, let key = (try? settings.apiKey()) ?? nil
        else { return }
        let owner: String
        do {
            let options = CallOptions(
                authorization: "Bearer \(key)", timeoutMilliseconds: settings.timeoutMilliseconds)
            owner = try await AuthServiceClient(client)
                .whoAmI(V1.WhoAmIRequest(), options: options).accountId
        } catch let error as TollgateError
            where ["unauthenticated", "invalid_request"].contains(error.code)
        {
            // No key of anybody's, or a server that cannot tell whose keys are.
            return
        } catch let error as TollgateError {
            throw failure(error, of: .reads)
        }
        guard owner != session.account else { return }
        throw CommandFailure(
            .usage,
            "You are signed in as \(session.account), and \(variable) has an API key of "
                + "\(TerminalText.line(owner)): nothing was done.",
            advice: "This goes by the login session, what a key may do by the key. Unset "
                + "\(variable) to act for \(session.account).")
    }

    /// The failure of a call, with what to do next.
    package func failure(_ error: TollgateError) -> CommandFailure {
        failure(error, of: nature)
    }

    private func failure(_ error: TollgateError, of nature: CallNature) -> CommandFailure {
        // What only reads has changed nothing: there is nothing to look up.
        let isHarmless = error.code == "unknown_outcome" && nature != .changes
        let code = isHarmless ? "unavailable" : error.code
        return CommandFailure(
            code: code, message: error.message,
            advice: error.refusesConnection
                ? Advice.wrongCredential(of: caller, settings)
                : Advice.after(
                    code: code, caller: caller, nature: nature, settings: settings,
                    retryAfterMilliseconds: error.retryAfterMilliseconds),
            retryAfterMilliseconds: error.retryAfterMilliseconds)
    }
}
