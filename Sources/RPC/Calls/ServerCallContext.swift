package import NIOCore
import Synchronization
package import TollgateWire

/// What a handler knows about the call it answers.
package final class ServerCallContext: Sendable {
    /// The facts of the method.
    package let method: MethodDescriptor
    /// Who is at the other end; nil only on a server that verifies nobody.
    package let identity: ConnectionIdentity?
    /// The request's metadata.
    package let userFields: [String: String]
    /// When the call must be answered; its task is cancelled then.
    package let deadline: CallDeadline
    /// The caller's number for the call.
    package let correlationID: Int64
    /// The peer's address, for logs and rate limits.
    package let peer: String
    /// Bytes that came beside the request's message.
    package let attachment: ByteBuffer

    private let responseAttachmentStorage: Mutex<ByteBuffer?> = Mutex(nil)

    /// Describes a call; tests of handlers make their own.
    package init(
        method: MethodDescriptor, identity: ConnectionIdentity? = nil,
        userFields: [String: String] = [:], deadline: CallDeadline? = nil,
        correlationID: Int64 = 0, peer: String = "", attachment: ByteBuffer = ByteBuffer()
    ) {
        self.method = method
        self.identity = identity
        self.userFields = userFields
        self.deadline =
            deadline ?? CallDeadline(milliseconds: method.defaultDeadlineMilliseconds)
        self.correlationID = correlationID
        self.peer = peer
        self.attachment = attachment
    }

    /// The person's login session or API key, as the caller sent it.
    package var authorization: String? { userFields["authorization"] }

    /// Bytes to send beside the response's message.
    package var responseAttachment: ByteBuffer? {
        responseAttachmentStorage.withLock { $0 }
    }

    /// Sets the bytes to send beside the response's message.
    package func setResponseAttachment(_ bytes: ByteBuffer) {
        responseAttachmentStorage.withLock { $0 = bytes }
    }
}
