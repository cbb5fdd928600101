internal import TollgateKernel

/// What a run of a job would do, found out without writing anything.
package struct JobPreview: Hashable, Sendable {
    /// What would become of one thing.
    package enum Verdict: Hashable, Sendable {
        /// WeChat Pay has a payment that is not booked here.
        case wouldBook
        /// An order would be closed, here and at WeChat Pay.
        case wouldClose
        /// An order is not paid yet.
        case waiting
        /// WeChat Pay does not answer.
        case unanswered
        /// A message would be sent.
        case wouldSend
        /// A hold or a lot would end.
        case wouldExpire
        /// So many figures would be stored.
        case wouldStore(Int)
        /// So many rows would be removed.
        case wouldRemove(Int)

        /// For programs, such as `would_book`.
        package var word: String {
            switch self {
            case .wouldBook: "would_book"
            case .wouldClose: "would_close"
            case .waiting: "waiting"
            case .unanswered: "unanswered"
            case .wouldSend: "would_send"
            case .wouldExpire: "would_expire"
            case .wouldStore(let count): "would_store_\(count)"
            case .wouldRemove(let count): "would_remove_\(count)"
            }
        }

        /// For people, behind the thing's name.
        package var sentence: String {
            switch self {
            case .wouldBook: "would be booked: WeChat Pay has its payment"
            case .wouldClose: "would be closed, here and at WeChat Pay"
            case .waiting: "is not paid yet, and would be asked about again"
            case .unanswered: "got no answer from WeChat Pay, and would be asked about again"
            case .wouldSend: "would be sent"
            case .wouldExpire: "would expire"
            case .wouldStore(let count): "would have \(Plural.of(count, "figure")) stored"
            case .wouldRemove(let count): "would lose \(Plural.of(count, "old row"))"
            }
        }

        /// For people, behind a number of things.
        var many: String {
            switch self {
            case .wouldBook: "would be booked"
            case .wouldClose: "would be closed"
            case .waiting: "would stay unpaid"
            case .unanswered: "got no answer from WeChat Pay"
            default: sentence
            }
        }
    }

    /// One thing the run would do.
    package struct Item: Hashable, Sendable {
        /// What it is about: an order, a hold, a message, a period.
        package var reference: String
        /// What would become of it.
        package var verdict: Verdict

        /// Makes an item.
        package init(reference: String, verdict: Verdict) {
            self.reference = reference
            self.verdict = verdict
        }
    }

    /// What it would do, in the order of the run; at most ``Limits/jobItemsKeptPerRun``.
    package var items: [Item]
    /// What would happen, in words that a point ends as a sentence.
    package var summary: String

    /// Makes a preview.
    package init(items: [Item], summary: String) {
        self.items = items
        self.summary = summary
    }
}
