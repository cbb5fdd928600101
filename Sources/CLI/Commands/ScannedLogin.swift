import Synchronization
import TollgateClient

/// A login by QR code: draws it, shows the number that the phone is asked for, and waits.
struct ScannedLogin: Sendable {
    let auth: AuthServiceClient
    let options: CallOptions
    let invocation: Invocation

    private var console: Console { invocation.console }
    private var environment: CommandEnvironment { invocation.environment }

    /// Begins a login and waits until it is confirmed on a phone.
    /// - Throws: `interrupted` on Ctrl-C, which gives the login up; the attempt's own code if it
    ///   was refused or ran out; the call's error if waiting keeps failing.
    func signIn(device: String) async throws -> V1.LoginResponse {
        let begun = try await auth.beginScanLogin(
            V1.BeginScanLoginRequest(device: device), options: options)
        do {
            try show(begun)
            try await environment.interrupts.interruptible { try await untilConfirmed(begun) }
        } catch {
            console.endProgress()
            await giveUp(begun)
            guard error is Interrupted else { throw error }
            throw CommandFailure(.interrupted, "Stopped; nobody was signed in.")
        }
        console.endProgress()
        return try await auth.redeemScanLogin(
            V1.RedeemScanLoginRequest(attemptSecret: begun.attemptSecret), options: options)
    }

    /// Ends the attempt, so that nobody confirms it any more; if that fails it runs out by itself.
    private func giveUp(_ begun: V1.BeginScanLoginResponse) async {
        _ = try? await auth.cancelScanLogin(
            V1.CancelScanLoginRequest(attemptSecret: begun.attemptSecret), options: options)
    }

    // MARK: - Waiting

    private func untilConfirmed(_ begun: V1.BeginScanLoginResponse) async throws {
        let progress = ScanProgress()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follow(begun, progress) }
            if console.errors.isTerminal {
                group.addTask { try await countDown(begun, progress) }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Shows a person how the time runs, until cancelled.
    private func countDown(
        _ begun: V1.BeginScanLoginResponse, _ progress: ScanProgress
    ) async throws {
        while true {
            let left = Moments.countdown(begun.expiresAtMilliseconds - environment.now())
            console.progress("\(progress.words) (\(left) left) … Ctrl-C gives up")
            try await environment.sleep(CommandLimits.countdownMilliseconds)
        }
    }

    /// Reads the attempt's events to the last; a connection that breaks is made again.
    private func follow(
        _ begun: V1.BeginScanLoginResponse, _ progress: ScanProgress
    ) async throws {
        let request = V1.AwaitScanLoginRequest(attemptSecret: begun.attemptSecret)
        var options = options
        // A person may take as long as the attempt lives, whatever one call may take.
        options.timeoutMilliseconds = nil
        var failures = 0
        while true {
            do {
                return try await auth.awaitScanLogin(request, options: options) { events in
                    try await read(events, progress)
                }
            } catch let error as TollgateError where Self.isPassing(error) {
                failures += 1
                guard failures < CommandLimits.scanLoginFailures else { throw error }
                try await environment.sleep(CommandLimits.countdownMilliseconds)
            }
        }
    }

    /// Reads one stream of events; returns once the login is confirmed.
    private func read(
        _ events: ServerStream<V1.ScanLoginEvent>, _ progress: ScanProgress
    ) async throws {
        for try await event in events {
            switch event.event {
            case .waiting: break
            case .scanned(let scanned):
                // Told again after a broken connection: shown once.
                if progress.note(scanned.number) { try show(scanned.number) }
            case .done: return
            case .error(let error):
                throw CommandFailure(
                    code: error.code, message: error.message,
                    advice: "Begin again: tollgate login --scan")
            case nil: continue
            }
        }
        throw CommandFailure(.truncated, "The server stopped telling how the login stands.")
    }

    /// Whether waiting on may help.
    private static func isPassing(_ error: TollgateError) -> Bool {
        ["unavailable", "truncated"].contains(error.code)
    }

    // MARK: - What is shown

    private func show(_ begun: V1.BeginScanLoginResponse) throws {
        guard invocation.isJSON else {
            console.showCode(begun.codeUrl, environment.variables)
            return
        }
        let facts: [(String, JSONValue)] = [
            ("state", .text("waiting")), ("codeUrl", .text(begun.codeUrl)),
            ("expiresAtMilliseconds", .number(begun.expiresAtMilliseconds)),
        ]
        guard console.json(.object([("login", .object(facts))])) else { throw OutputClosed() }
    }

    private func show(_ number: Int64) throws {
        guard invocation.isJSON else {
            console.endProgress()
            let shown = console.outputStyle.bold(String(number))
            console.line("Scanned. If that was you, send \(shown) to the official account.")
            return
        }
        let facts: [(String, JSONValue)] = [
            ("state", .text("scanned")), ("number", .number(number)),
        ]
        guard console.json(.object([("login", .object(facts))])) else { throw OutputClosed() }
    }
}

/// How far a login by QR code has come, told by one task and shown by another.
private final class ScanProgress: Sendable {
    private let number = Mutex<Int64?>(nil)

    var words: String {
        number.withLock { number in
            number.map { "Waiting for the answer \($0) on the phone" } ?? "Waiting for the scan"
        }
    }

    /// Remembers the number to answer; whether it is new.
    func note(_ fresh: Int64) -> Bool {
        number.withLock { number in
            defer { number = fresh }
            return number != fresh
        }
    }
}
