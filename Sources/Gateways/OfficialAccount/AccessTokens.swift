internal import TollgateKernel

/// The official account's access token, fetched once for all who need it.
final class AccessTokens: Sendable {
    /// A token and when to fetch the next.
    struct Token: Hashable, Sendable {
        var text: String
        var refreshAt: Timestamp
    }

    private let shared = SharedFetch<Token>()

    /// The present token, or one that `fetch` gets.
    ///
    /// - Parameters:
    ///   - rejected: a token WeChat has refused; if it is still the present one, it is replaced.
    ///   - now: decides whether the present token is to be renewed.
    ///   - fetch: asks WeChat.
    func token(
        unlike rejected: String?, now: Timestamp, fetch: () async throws -> Token
    ) async throws -> Token {
        try await shared.value(
            where: { $0.text != rejected && now < $0.refreshAt }, fetch: fetch)
    }
}
