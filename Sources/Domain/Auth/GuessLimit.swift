package import TollgateKernel

/// How often login codes may be guessed wrongly, for each source and in all.
package enum GuessLimit {
    /// The minute since 1970 that wrong guesses are counted by.
    package static func minute(of now: Timestamp) -> Int64 {
        let seconds = now.seconds
        return seconds >= 0 ? seconds / 60 : (seconds - 59) / 60
    }

    /// Whether another guess may be tried, given this minute's wrong ones so far; nil if it may.
    ///
    /// - Returns: `rate_limited` with the rest of the minute to wait.
    package static func judge(ofSource: Int64, inAll: Int64, at now: Timestamp) -> Failure? {
        let message: String
        if ofSource >= Limits.wrongGuessesOfSourceAMinute {
            message = "Too many wrong codes from here; wait a minute and ask for a new one."
        } else if inAll >= Limits.wrongGuessesInAllAMinute {
            message = "Too many wrong codes are being tried just now; wait a minute."
        } else {
            return nil
        }
        let next = (minute(of: now) + 1) * 60_000
        return Failure(
            .rateLimited, message, retryAfterMilliseconds: next - now.milliseconds)
    }
}
