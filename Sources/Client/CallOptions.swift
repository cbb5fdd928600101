internal import TollgateRPC

/// What a caller can say about one call.
public struct CallOptions: Hashable, Sendable {
    /// How much a call matters to a server that cannot serve all of them.
    public enum Priority: Hashable, Sendable, CaseIterable {
        /// Work that can wait, such as a report: refused once half of a method's room is taken.
        case background
        /// What most calls are.
        case normal
        /// What must go through before anything else, such as a payment: finds half as much room
        /// again when ordinary calls are refused.
        case critical
    }

    /// How messages can be compressed.
    public enum Compression: Hashable, Sendable, CaseIterable {
        /// RFC 1952.
        case gzip
        /// RFC 1950; 12 bytes shorter than gzip.
        case zlib
    }

    /// The person's login session or API key.
    public var authorization: String?

    /// How long the answer may take, in milliseconds; nil takes the method's default, and what is
    /// left of the call that this one is made for if that is less.
    public var timeoutMilliseconds: Int64?

    /// How long one attempt may take, in milliseconds; what an idempotent method has not answered
    /// by then is asked of another server, as long as the call's own time lasts.
    public var attemptTimeoutMilliseconds: Int64?

    /// After how many milliseconds without an answer a second server is asked too.
    ///
    /// The first answer counts and the other call is cancelled. Idempotent methods with one
    /// response only, at most one call in ten, and only if another server is well; others are made
    /// as if it were nil.
    public var hedgeAfterMilliseconds: Int64?

    /// Calls of one key go to one server, as long as it is well and not overloaded.
    public var affinityKey: String?

    /// How much the call matters; servers that are not Tollgate's own do not know.
    public var priority = Priority.normal

    /// How the request is compressed if it has a KiB or more.
    ///
    /// The response may come compressed so too; nil leaves both plain. Streamed messages are never
    /// compressed.
    public var compression: Compression?

    /// Whether the request is secured by a checksum (CRC-32C), and the response too.
    ///
    /// What arrives broken fails the call. Streamed messages have none.
    public var hasChecksum = false

    /// How many bytes of a stream may wait here unread before its server has to; nil is two MiB.
    ///
    /// From one byte; more than two MiB is taken as two. One message may go beyond it. A small
    /// window bounds what many slow readers keep, and has the server wait more often. It counts
    /// for streams of responses, and servers that are not Tollgate's own do not know it.
    public var windowBytes: Int64?

    /// Further metadata.
    public var userFields: [String: String]

    /// Makes options.
    public init(
        authorization: String? = nil, timeoutMilliseconds: Int64? = nil,
        userFields: [String: String] = [:]
    ) {
        self.authorization = authorization
        self.timeoutMilliseconds = timeoutMilliseconds
        self.userFields = userFields
    }
}

extension CallPriority {
    /// What the caller's word is on the wire.
    init(_ priority: CallOptions.Priority) {
        switch priority {
        case .background: self = .background
        case .normal: self = .normal
        case .critical: self = .critical
        }
    }
}

extension PayloadCompression {
    /// What the caller's word is on the wire.
    init(_ compression: CallOptions.Compression) {
        switch compression {
        case .gzip: self = .gzip
        case .zlib: self = .zlib
        }
    }
}
