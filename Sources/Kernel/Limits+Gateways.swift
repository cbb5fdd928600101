extension Limits {
    /// Answers of models under way at once, each an outgoing transfer: with those below, under the
    /// 1,024 descriptors a process gets by default after its own listeners and files.
    package static let outgoingTransfers = 704

    /// Outgoing transfers at once to WeChat Pay and to the official account, apart from those of
    /// models: no number of long answers may keep a payment from being booked.
    package static let outgoingServiceTransfers = 64

    /// When to ask again after all of a model's transfers were taken, in milliseconds: answers take
    /// seconds, and of hundreds one ends sooner.
    package static let outgoingRetryMilliseconds: Int64 = 2_000

    /// Idle outgoing connections kept for the next request.
    package static let outgoingIdleConnections = 256

    /// Reusable transfer handles kept, each some 6 KiB.
    package static let outgoingIdleHandles = 128

    /// Bytes of all header lines of one response.
    package static let outgoingResponseHeadBytes = 64 * 1_024

    /// Bytes of a response body read as a whole: answers of WeChat have a few KiB.
    package static let outgoingResponseBytes = 1_024 * 1_024

    /// Bytes of a streamed response in all: an answer of 100,000 tokens has some 30 MiB of events.
    package static let outgoingStreamBytes = 128 * 1_024 * 1_024

    /// Bytes set aside for what arrives of a response before its reader takes it: a page, which a
    /// short answer's events fit in.
    package static let outgoingPieceBytes = 4_096

    /// Bytes of a streamed response waiting for their reader before the socket is left alone.
    package static let outgoingBufferedBytes = 64 * 1_024

    /// How long the rest of a response may take to arrive once nobody wants it, so that its
    /// connection can serve the next request.
    package static let outgoingLingerMilliseconds: Int64 = 500

    /// Granularity of the transfers' own time-outs.
    package static let outgoingTickMilliseconds: Int64 = 20

    /// Bytes of one line, and of the data of one event, of a server-sent event stream.
    package static let serverSentEventBytes = 1_024 * 1_024

    /// Bytes of an error body of a model provider that are read for its code.
    package static let modelErrorBytes = 64 * 1_024

    /// Nesting of a JSON text from outside: the deepest we read has 5 levels.
    package static let jsonDepth = 32

    /// Members and elements of a JSON text from outside read into memory at once.
    package static let jsonValues = 10_000

    /// Tokens in one answer a provider can mean: above it, its count is a defect and not used.
    package static let plausibleTokens: Int64 = 100_000_000

    /// The longest `Retry-After` believed: one hour; a longer one is a mistake or an insult.
    package static let retryAfterMilliseconds: Int64 = 3_600_000

    /// Bytes of a payment notification: real ones have 1 to 4 KiB.
    package static let paymentNotificationBytes = 64 * 1_024

    /// The fen of one payment: a thousand million yuan, far above what WeChat Pay lets through.
    package static let paymentTotalFen: Int64 = 100_000_000_000

    /// How far WeChat Pay's signed time may be from ours, as its own servers have it.
    package static let paymentFreshnessSeconds: Int64 = 300

    /// Seconds a fetched access token is believed at most: WeChat gives them for 7,200.
    package static let accessTokenSeconds: Int64 = 7_200

    /// Seconds before its end at which the next access token is fetched: WeChat hands out the new
    /// one, and still takes the old one, in the last 300.
    package static let accessTokenLeadSeconds: Int64 = 300

    /// How old WeChat Pay's fetched certificates may grow: half a day, as its rules have it.
    package static let platformKeysRefreshMilliseconds: Int64 = 12 * 3_600_000

    /// How long after a fetch of certificates the next waits: forged serials must not become a
    /// flood of fetches, and a minute is soon enough for a new certificate, announced days ahead.
    package static let platformKeysCoolDownMilliseconds: Int64 = 60_000

    /// How long after a fetch of certificates that failed the next waits: without them no answer
    /// can be believed, so it must come soon.
    package static let platformKeysRetryMilliseconds: Int64 = 2_000

    /// Certificates in one list: WeChat Pay has two while it exchanges them.
    package static let platformCertificates = 16

    /// The longest life of the official account's temporary QR codes: WeChat's own bound, 30 days.
    package static let sceneCodeSeconds: Int64 = 2_592_000
}
