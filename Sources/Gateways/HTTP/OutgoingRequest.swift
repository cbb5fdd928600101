/// A request to another system over HTTP.
package struct OutgoingRequest: Sendable {
    /// The methods our gateways need.
    package enum Method: String, Hashable, Sendable {
        case get = "GET"
        case post = "POST"
    }

    /// The method.
    package var method: Method
    /// An absolute `http` or `https` address, already percent-encoded; sent exactly so.
    package var url: String
    /// Header fields in order; a field with a line break is refused.
    package var headers: [(name: String, value: String)]
    /// The body; sent with POST alone.
    package var body: [UInt8]
    /// How long each part may take.
    package var timeouts: TransferTimeouts
    /// Whether `gzip` and `deflate` are asked for and undone; off where raw bytes are signed.
    package var acceptsCompression: Bool

    /// Makes a request.
    package init(
        _ method: Method, url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], timeouts: TransferTimeouts = TransferTimeouts(),
        acceptsCompression: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.acceptsCompression = acceptsCompression
    }
}

/// How long the parts of a transfer may take, in milliseconds.
package struct TransferTimeouts: Hashable, Sendable {
    /// Name look-up, TCP and TLS together.
    package var connectMilliseconds: Int64
    /// From the start until the first byte of the answer.
    package var firstByteMilliseconds: Int64
    /// Between two arrivals of bytes; does not run while the reader holds the stream back.
    package var idleMilliseconds: Int64
    /// The whole transfer.
    package var totalMilliseconds: Int64

    /// Makes bounds; the values left out suit a short call.
    package init(
        connectMilliseconds: Int64 = 5_000, firstByteMilliseconds: Int64 = 10_000,
        idleMilliseconds: Int64 = 10_000, totalMilliseconds: Int64 = 20_000
    ) {
        self.connectMilliseconds = connectMilliseconds
        self.firstByteMilliseconds = firstByteMilliseconds
        self.idleMilliseconds = idleMilliseconds
        self.totalMilliseconds = totalMilliseconds
    }
}

/// Status and header fields of an answer.
package struct ResponseHead: Hashable, Sendable {
    /// The status, 200 to 599.
    package var status: Int
    private var names: [String] = []
    private var fieldValues: [String] = []

    /// An answer without fields.
    package init(status: Int) { self.status = status }

    /// Adds a field.
    package mutating func add(_ name: String, _ value: String) {
        names.append(name.lowercased())
        fieldValues.append(value)
    }

    /// The values of every field of that name, in order; the name in lower case.
    package func values(_ name: String) -> [String] {
        zip(names, fieldValues).filter { $0.0 == name }.map(\.1)
    }

    /// The value of the only field of that name; nil if there is none, or more than one.
    package func only(_ name: String) -> String? {
        let found = values(name)
        return found.count == 1 ? found[0] : nil
    }

    /// The media type without parameters, in lower case; empty if none was sent.
    package var mediaType: String {
        let text = (values("content-type").last ?? "").prefix { $0 != ";" }
        return text.lowercased().filter { $0 != " " && $0 != "\t" }
    }
}

/// A whole answer.
package struct OutgoingResponse: Hashable, Sendable {
    /// Status and header fields.
    package var head: ResponseHead
    /// The body, at most ``Limits/outgoingResponseBytes``.
    package var body: [UInt8]
}

/// Why a transfer gave no whole answer; never holds the address, headers or bodies.
package struct TransferFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds that callers tell apart.
    package enum Kind: String, Hashable, Sendable {
        /// No connection: name not found, refused, TLS failure. The request was not sent.
        case unreachable
        /// One of the ``TransferTimeouts`` ran out.
        case timedOut = "timed_out"
        /// The connection was lost after the request began to be sent.
        case interrupted
        /// The answer is larger than allowed.
        case tooLarge = "too_large"
        /// The answer is no HTTP, or not encoded as it says.
        case malformed
        /// The request itself is wrong: address, header field, method.
        case invalidRequest = "invalid_request"
        /// As many as the configuration allows are under way.
        case tooMany = "too_many"
        /// The transfers were shut down.
        case shutDown = "shut_down"
    }

    /// What kind.
    package var kind: Kind
    /// A sentence for the operator.
    package var message: String

    /// Makes a failure.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { "\(kind.rawValue): \(message)" }
}
