extension Limits {
    /// Turns of one question: a long evening's conversation; more belongs into a summary.
    package static let chatTurns = 256

    /// UTF-8 bytes of all turns of one question: about 64,000 tokens of English, and small enough
    /// to copy a few times on the way.
    package static let chatBytes = 256 * 1_024

    /// UTF-8 bytes of a question that are judged and hashed where the call runs.
    ///
    /// What is longer goes to a thread of its own: the word filter takes up to 28 ns a byte, and an
    /// event loop may not be held up for more than 50 µs.
    package static let chatBytesJudgedInPlace = 2 * 1_024

    /// Tokens an answer may be asked to have: above any model's limit, so it refuses only mistakes.
    package static let chatMaxTokens: Int64 = 1_000_000

    /// The highest price of a model's call, or of a thousand tokens, in micro-credits: a million
    /// credits; above it somebody mistyped.
    package static let modelPriceMicroCredits: Int64 = 1_000_000_000_000

    /// Models there are, withdrawn ones included: they are told in one answer, and those that are
    /// offered are read every second.
    package static let models = 200

    /// Channels there are, those out of use included: each is a label of metrics for ever.
    package static let channels = 100

    /// Models that one channel answers: an act in the operators' log names them all.
    package static let offersOfChannel = 50

    /// Bytes of a channel's address: providers' have some thirty.
    package static let channelAddressBytes = 255

    /// Bytes of a provider's own name of a model: the longest in use are paths of some sixty.
    package static let upstreamModelBytes = 128

    /// The last place in the order in which channels are asked.
    package static let channelPriority: Int64 = 1_000

    /// Tokens an answer must be able to have before a call is worth its price.
    package static let chatLeastTokens: Int64 = 64

    /// What a turn costs beyond its text: role and separators in the provider's own format.
    package static let chatTokensAroundTurn: Int64 = 8

    /// Characters that show nothing and are skipped inside a sensitive word, so that they do not
    /// hide it; a longer run ends the word, which bounds what a stream can hold back.
    package static let skippedCharactersInWord = 16

    /// Failures in a row after which a channel is left alone: one may be the network's hiccup,
    /// three are a pattern.
    package static let channelFailuresBeforeCoolDown: Int64 = 3

    /// A channel's first cool-down: long enough for a restart, short enough to be cheap when wrong.
    package static let channelFirstCoolDownMilliseconds: Int64 = 1_000

    /// A channel's longest cool-down, also if the provider asks for more: after an outage of hours
    /// it is used again within a minute.
    package static let channelLongestCoolDownMilliseconds: Int64 = 60_000

    /// How long a probe may be under way before another is let through: its caller may have died.
    package static let channelProbeMilliseconds: Int64 = 30_000

    /// A channel's share among its peers: keeps sums of weights far from overflow.
    package static let channelWeight: Int64 = 1_000_000

    /// Keys of their own that one person can bind: providers an operator has channels to.
    package static let ownKeysOfAccount = 16

    /// Bytes of a provider's key: the shortest are random all the same, the longest in use are
    /// tokens of some hundred.
    package static let ownKeyBytes: ClosedRange<Int> = 8...512

    /// Rows of counted refusals that one write takes along: an account's of an hour are a few, and
    /// so many stay within a transaction's millisecond.
    package static let refusalRowsOfOneWrite = 32

    /// Writes of counted refusals that can be under way at once: a slow one keeps an eighth of the
    /// accounts waiting, and all of them leave half of PostgreSQL's connections that write to
    /// everybody else.
    package static let refusalLanes = 8
}
