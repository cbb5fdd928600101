/// What a caller can say about one call.
public struct CallOptions: Hashable, Sendable {
    /// The person's login session or API key.
    public var authorization: String?

    /// How long the answer may take, in milliseconds; nil takes the method's default, and what is
    /// left of the call that this one is made for if that is less.
    public var timeoutMilliseconds: Int64?

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
