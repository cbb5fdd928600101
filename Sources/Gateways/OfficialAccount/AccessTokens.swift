internal import Synchronization
internal import TollgateKernel

/// The official account's access token, fetched once for all who need it.
///
/// One caller at a time asks WeChat; the others wait for what it gets, its failure included, so
/// that no crowd repeats a call that just failed. Should that caller be cancelled, one of those
/// who wait asks in its place.
final class AccessTokens: Sendable {
    /// A token and when to fetch the next.
    struct Token: Hashable, Sendable {
        var text: String
        var refreshAt: Timestamp
    }

    private enum Outcome: Sendable {
        case token(Token)
        case failure(any Error)
        case askYourself
    }

    private struct State {
        var token: Token?
        var isFetching = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
    }

    private let state = Mutex(State())

    /// The present token, or one that `fetch` gets.
    ///
    /// - Parameters:
    ///   - rejected: a token WeChat has refused; if it is still the present one, it is replaced.
    ///   - now: decides whether the present token is to be renewed.
    ///   - fetch: asks WeChat.
    func token(
        unlike rejected: String?, now: Timestamp, fetch: () async throws -> Token
    ) async throws -> Token {
        while true {
            try Task.checkCancellation()
            let (present, mayFetch) = state.withLock { state in
                if let token = state.token, token.text != rejected, now < token.refreshAt {
                    return (token as Token?, false)
                }
                guard !state.isFetching else { return (nil, false) }
                state.isFetching = true
                return (nil, true)
            }
            if let present { return present }
            if mayFetch { return try await lead(fetch) }
            switch await outcome() {
            case .token(let token): return token
            case .failure(let error): throw error
            case .askYourself: continue
            }
        }
    }

    /// Asks, and tells those who wait.
    private func lead(_ fetch: () async throws -> Token) async throws -> Token {
        do {
            let token = try await fetch()
            finish(.token(token))
            return token
        } catch let error where error is CancellationError || Task.isCancelled {
            finish(.askYourself)
            throw error
        } catch {
            finish(.failure(error))
            throw error
        }
    }

    private func finish(_ outcome: Outcome) {
        let waiters = state.withLock { state in
            if case .token(let token) = outcome { state.token = token }
            state.isFetching = false
            let waiters = state.waiters
            state.waiters = [:]
            return waiters
        }
        for waiter in waiters.values { waiter.resume(returning: outcome) }
    }

    /// Waits for the one who asks; a cancelled task looks again at once.
    private func outcome() async -> Outcome {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.isFetching, !Task.isCancelled else { return true }
                    state.waiters[number] = continuation
                    return false
                }
                if isOver { continuation.resume(returning: .askYourself) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
            waiter?.resume(returning: .askYourself)
        }
    }
}
