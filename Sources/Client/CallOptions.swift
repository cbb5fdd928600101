/// What a caller can say about one call.
public struct CallOptions: Hashable, Sendable {
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
    /// response only, and at most one call in ten; others are made as if it were nil.
    public var hedgeAfterMilliseconds: Int64?

    /// Calls of one key go to one server, as long as it is well and not overloaded.
    public var affinityKey: String?

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
