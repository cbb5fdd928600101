package import TollgateKernel

/// When WeChat Pay is asked again about an order that is not paid yet.
package struct QueryBackOff: Hashable, Sendable {
    /// The first pause, counted from the order's making.
    package let firstMilliseconds: Int64
    /// The longest pause.
    package let longestMilliseconds: Int64

    /// Makes a back-off; a demo gives short pauses.
    package init(
        firstMilliseconds: Int64 = Limits.orderFirstQueryMilliseconds,
        longestMilliseconds: Int64 = Limits.orderLongestQueryPauseMilliseconds
    ) {
        self.firstMilliseconds = max(1, firstMilliseconds)
        self.longestMilliseconds = max(1, firstMilliseconds, longestMilliseconds)
    }

    /// The moment of the next question: the first one after the order was made, then pauses that
    /// double up to the longest.
    ///
    /// - Parameter count: questions asked so far.
    package func nextQuery(after count: Int64, createdAt: Timestamp, now: Timestamp) -> Timestamp {
        guard count > 0 else { return createdAt.adding(milliseconds: firstMilliseconds) }
        var pause = firstMilliseconds
        for _ in 0..<min(count, 62) where pause < longestMilliseconds {
            pause = pause > longestMilliseconds / 2 ? longestMilliseconds : pause * 2
        }
        return now.adding(milliseconds: pause)
    }

    /// The moment of the next question after one that was not answered: soon, and no later than it
    /// was planned.
    ///
    /// - Parameter planned: when the order was to be asked about next.
    package func nextQuery(afterSilenceAt now: Timestamp, planned: Timestamp) -> Timestamp {
        let pause = min(firstMilliseconds, Limits.orderUnansweredPauseMilliseconds)
        let soon = now.adding(milliseconds: pause)
        return planned > now ? min(planned, soon) : soon
    }
}
