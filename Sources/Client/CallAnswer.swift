import TollgateRPC
public import TollgateWire

/// The answer of a method with one response, and what came beside it.
public struct CallAnswer<Message: Sendable>: Sendable {
    /// The response.
    public let message: Message

    /// Bytes that came beside it; empty if there are none.
    public let attachment: [UInt8]

    /// The answer's metadata.
    public let userFields: [String: String]

    /// Makes an answer, for stand-ins in tests.
    public init(message: Message, attachment: [UInt8] = [], userFields: [String: String] = [:]) {
        self.message = message
        self.attachment = attachment
        self.userFields = userFields
    }
}

/// Calls with an attachment: bytes that travel beside the message as they are.
///
/// They are neither encoded nor compressed, and a checksum covers them too. Message and attachment
/// have 16 MiB together.
extension TollgateClient {
    /// Calls a method with one response, with an attachment beside the request, and returns the
    /// response with what came beside it.
    ///
    /// Generated stubs have no attachments; this stands beside them. Attempts are repeated and
    /// hedged as those of ``unary(_:_:options:)``, the attachment with them.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    public func exchange<Request: WireMessage, Response: WireMessage>(
        _ method: MethodDescriptor, _ request: Request, attachment: [UInt8] = [],
        options: CallOptions = CallOptions()
    ) async throws -> CallAnswer<Response> {
        let payload = try TollgateError.translating { try request.encoded() }
        let answer = try await exchangeBytes(
            method, payload, attachment: attachment, options: options)
        return CallAnswer(
            message: try TollgateError.translating { try Response.decode(answer.message) },
            attachment: answer.attachment, userFields: answer.userFields)
    }

    /// Does what ``exchange(_:_:attachment:options:)`` does over the messages' bytes.
    /// - Throws: ``TollgateError``, or `CancellationError` if the task is cancelled.
    public func exchangeBytes(
        _ method: MethodDescriptor, _ request: [UInt8], attachment: [UInt8] = [],
        options: CallOptions = CallOptions()
    ) async throws -> CallAnswer<[UInt8]> {
        let response = try await response(
            method, request, attachment: attachment, options: options)
        return CallAnswer(
            message: response.payload, attachment: response.attachmentBytes,
            userFields: response.userFields)
    }
}
