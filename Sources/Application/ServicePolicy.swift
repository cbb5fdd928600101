package import TollgateKernel

/// What the operator decides: grants, lifetimes, limits.
///
/// Values come from settings.
package struct ServicePolicy: Sendable {
    /// Free calls of each account on each Shanghai day.
    package var trialCallsPerDay: Int64
    /// Credits given once to each person, ever.
    package var welcomeGrant: Credits
    /// How long the welcome grant lives; nil is for ever.
    package var welcomeGrantLifetimeMilliseconds: Int64?
    /// How long an order can be paid.
    package var orderLifetimeMilliseconds: Int64
    /// When WeChat Pay is first asked about an order that no notification came for.
    package var firstPaymentQueryMilliseconds: Int64
    /// How long an answer may take in all.
    package var chatDeadlineMilliseconds: Int64
    /// What a person sends to the official account to get a login code, in lower case.
    package var loginKeywords: Set<String>

    /// Makes a policy; the defaults are the design's.
    package init(
        trialCallsPerDay: Int64 = 1,
        welcomeGrant: Credits = Credits(whole: 2),
        welcomeGrantLifetimeMilliseconds: Int64? = nil,
        orderLifetimeMilliseconds: Int64 = 30 * 60_000,
        firstPaymentQueryMilliseconds: Int64 = 60_000,
        chatDeadlineMilliseconds: Int64 = 600_000,
        loginKeywords: Set<String> = ["登录", "登陆", "验证码", "login", "code"]
    ) {
        self.trialCallsPerDay = trialCallsPerDay
        self.welcomeGrant = welcomeGrant
        self.welcomeGrantLifetimeMilliseconds = welcomeGrantLifetimeMilliseconds
        self.orderLifetimeMilliseconds = orderLifetimeMilliseconds
        self.firstPaymentQueryMilliseconds = firstPaymentQueryMilliseconds
        self.chatDeadlineMilliseconds = chatDeadlineMilliseconds
        self.loginKeywords = loginKeywords
    }

    /// When a hold made at `now` may be ended by the sweeper: deadline plus five minutes, so that a
    /// call that still runs is never swept from under itself.
    package func holdExpiry(from now: Timestamp) -> Timestamp {
        now.adding(milliseconds: chatDeadlineMilliseconds + 300_000)
    }
}
