package import NIOCore
import Synchronization
package import TollgateWire

/// What a handler knows about the call it answers.
package final class ServerCallContext: Sendable {
    /// The facts of the method.
    package let method: MethodDescriptor
    /// Who is at the other end; nil only on a server that verifies nobody.
    package let identity: ConnectionIdentity?
    /// The request's metadata as it is kept.
    let fields: RequestFields
    /// When the call must be answered; its task is cancelled then.
    package let deadline: CallDeadline
    /// The caller's number for the call.
    package let correlationID: Int64
    /// The peer's address, for logs and rate limits.
    package let peer: String
    /// Bytes that came beside the request's message.
    package let attachment: ByteBuffer
    /// How much the call matters to its caller.
    package let priority: CallPriority

    private let extras: Mutex<Extras> = Mutex(Extras())

    /// What goes beside the response's message.
    struct Extras {
        var attachment: ByteBuffer?
        var fields: [String: String] = [:]
    }

    /// Describes a call; tests of handlers make their own.
    package convenience init(
        method: MethodDescriptor, identity: ConnectionIdentity? = nil,
        userFields: [String: String] = [:], deadline: CallDeadline? = nil,
        correlationID: Int64 = 0, peer: String = "", attachment: ByteBuffer = ByteBuffer(),
        priority: CallPriority = .normal
    ) {
        self.init(
            method: method, identity: identity, fields: RequestFields(userFields),
            deadline: deadline ?? CallDeadline(milliseconds: method.defaultDeadlineMilliseconds),
            correlationID: correlationID, peer: peer, attachment: attachment, priority: priority)
    }

    init(
        method: MethodDescriptor, identity: ConnectionIdentity?, fields: RequestFields,
        deadline: CallDeadline, correlationID: Int64, peer: String, attachment: ByteBuffer,
        priority: CallPriority
    ) {
        self.method = method
        self.identity = identity
        self.fields = fields
        self.deadline = deadline
        self.correlationID = correlationID
        self.peer = peer
        self.attachment = attachment
        self.priority = priority
    }

    /// The request's metadata; made when it is asked for.
    package var userFields: [String: String] { fields.all }

    /// The person's login session or API key, as the caller sent it.
    package var authorization: String? { fields.authorization }

    /// Bytes to send beside the response's message.
    package var responseAttachment: ByteBuffer? { extras.withLock { $0.attachment } }

    /// Sets the bytes to send beside the response's message; streams have no such place.
    package func setResponseAttachment(_ bytes: ByteBuffer) {
        extras.withLock { $0.attachment = bytes }
    }

    /// Metadata that goes with the response, and of a stream with its end (E3).
    package var trailers: [String: String] { extras.withLock { $0.fields } }

    /// Sets the metadata that goes with the response, and of a stream with its end; a failed call's
    /// error has its own.
    package func setTrailers(_ fields: [String: String]) {
        extras.withLock { $0.fields = fields }
    }

    /// Everything that goes beside the response's message.
    var responseExtras: Extras { extras.withLock { $0 } }
}
