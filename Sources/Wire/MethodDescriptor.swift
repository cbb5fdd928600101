/// What the contract states about a method: read by the router, the client and `tollgate call`.
///
/// A class, because every call takes it along: its copies would count references to each text.
public final class MethodDescriptor: Sendable {
    /// The service's full name, such as `tollgate.v1.AuthService`.
    public let service: String

    /// The method's name as the contract writes it, such as `Login`.
    public let name: String

    /// Who may call.
    public let access: Access

    /// The services that may call; empty means each of them.
    public let roles: [ServiceRole]

    /// Whether repeating the call changes nothing more.
    public let isIdempotent: Bool

    /// The deadline if the caller names none, for the whole stream if the method streams.
    public let defaultDeadlineMilliseconds: Int64

    /// Whether one request goes out or a stream of them, and what comes back.
    public let streaming: Streaming

    /// The shape of the request.
    public let request: MessageDescriptor

    /// The shape of the response, or of each streamed message.
    public let response: MessageDescriptor

    /// The name people and HTTP paths use: `tollgate.v1.AuthService/Login`.
    ///
    /// Made once: meters and spans ask for it at every call.
    public let fullName: String

    /// Makes the facts of a method; the generated table `Methods` is the usual source.
    public init(
        service: String, name: String, access: Access, roles: [ServiceRole], isIdempotent: Bool,
        defaultDeadlineMilliseconds: Int64, streaming: Streaming, request: MessageDescriptor,
        response: MessageDescriptor
    ) {
        self.service = service
        self.name = name
        self.access = access
        self.roles = roles
        self.isIdempotent = isIdempotent
        self.defaultDeadlineMilliseconds = defaultDeadlineMilliseconds
        self.streaming = streaming
        self.request = request
        self.response = response
        fullName = "\(service)/\(name)"
    }

    /// Who may call a method.
    public enum Access: String, Hashable, Sendable, CaseIterable {
        /// Any service with a connection credential; no person is signed in.
        case connection
        /// A signed-in person: a login session or an API key.
        case user
        /// One of the services in ``MethodDescriptor/roles``, for itself.
        case service
        /// An operator.
        case admin
    }

    /// How many requests a method takes and how many responses it gives.
    public enum Streaming: String, Hashable, Sendable, CaseIterable {
        /// One request, one response.
        case unary
        /// One request, a stream of responses.
        case serverStreaming
        /// A stream of requests, one response.
        case clientStreaming
        /// Streams both ways, at the same time.
        case bidirectionalStreaming

        /// Whether the caller streams its requests.
        public var takesStream: Bool { self == .clientStreaming || self == .bidirectionalStreaming }

        /// Whether a stream of responses comes back.
        public var givesStream: Bool { self == .serverStreaming || self == .bidirectionalStreaming }
    }
}

/// Which service a connection's credential names.
public enum ServiceRole: String, Hashable, Sendable, CaseIterable {
    /// The web tier.
    case web
    /// The job runner.
    case jobs
    /// Operators' tools.
    case admin
    /// The command line of a person.
    case cli
}
