/// The meta of a PRPC packet: which call it belongs to and what is asked or answered.
///
/// Field by field as bRPC's `RpcMeta` (rpc-wire, 1.2); what no end of ours uses is left out and
/// skipped when read.
package struct RpcMeta: Hashable, Sendable {
    /// What the call is for; present in requests.
    package var request: RpcRequestMeta?
    /// How the call ended; present in responses.
    package var response: RpcResponseMeta?
    /// How the payload is compressed: 0 is not at all.
    package var compressType: Int32 = 0
    /// The caller's number for the call, echoed in the response.
    package var correlationID: Int64 = 0
    /// Bytes at the packet's end that are no part of the payload.
    package var attachmentSize: Int32 = 0
    /// The connection's credential.
    package var authenticationData: [UInt8]?
    /// The sender's end of a stream that this call opens.
    package var streamSettings: StreamSettings?
    /// Metadata in order of writing; a later key wins.
    package var userFields: [String: String] = [:]
    /// What our own ends add.
    package var envelopeExtension: EnvelopeExtension?

    /// Makes an empty meta.
    package init() {}
}

/// Which method a request is for.
package struct RpcRequestMeta: Hashable, Sendable {
    /// The service's full name, or its bare one.
    package var serviceName: String
    /// The method's bare name.
    package var methodName: String
    /// The time the caller still has, in milliseconds.
    package var timeoutMilliseconds: Int32?

    /// Names a method.
    package init(serviceName: String, methodName: String, timeoutMilliseconds: Int32? = nil) {
        self.serviceName = serviceName
        self.methodName = methodName
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// How a call ended.
package struct RpcResponseMeta: Hashable, Sendable {
    /// 0 is success.
    package var errorCode: Int32
    /// One sentence, empty on success.
    package var errorText: String

    /// Makes an outcome.
    package init(errorCode: Int32 = 0, errorText: String = "") {
        self.errorCode = errorCode
        self.errorText = errorText
    }
}

/// What an end says about its end of a stream.
package struct StreamSettings: Hashable, Sendable {
    /// The sender's own number for the stream; 0 is a number like any other.
    package var streamID: Int64
    /// The sender limits what it writes and needs FEEDBACK for it.
    package var needFeedback: Bool
    /// The sender reads, so the receiver may write.
    package var writable: Bool

    /// Makes settings.
    package init(streamID: Int64, needFeedback: Bool, writable: Bool) {
        self.streamID = streamID
        self.needFeedback = needFeedback
        self.writable = writable
    }
}

/// What our own ends tell each other: field 120, which plain peers skip (rpc-wire, 5.2).
package struct EnvelopeExtension: Hashable, Sendable {
    /// The version of the extension set, in the first request and the first response.
    package var version: UInt32?
    /// What the sender can do, in bits.
    package var features: UInt64?
    /// The correlation id of the call to cancel.
    package var cancelID: Int64?
    /// How a stream ended; 0 is success.
    package var errorCode: Int32?
    /// One sentence on how a stream ended.
    package var errorText: String?
    /// Metadata at a stream's end.
    package var trailers: [String: String] = [:]
    /// The sender wants no answer.
    package var noReply: Bool?
    /// The request was certainly not begun, so repeating it is safe.
    package var notProcessed: Bool?

    /// Makes an empty extension.
    package init() {}

    /// The version this code speaks.
    package static let currentVersion: UInt32 = 1

    /// The bits of ``features``: 1 cancel (E2), 2 status on CLOSE (E3).
    package static let currentFeatures: UInt64 = 0b11

    /// What each end announces in its first packet (E0).
    package static var announcement: EnvelopeExtension {
        var announcement = EnvelopeExtension()
        announcement.version = currentVersion
        announcement.features = currentFeatures
        return announcement
    }
}
