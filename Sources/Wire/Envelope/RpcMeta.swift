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
    /// How ``checksum`` was made: 0 is not at all, 1 is CRC-32C.
    package var checksumType: Int32 = 0
    /// The checksum in its wire form, four bytes as a big-endian number; nil if the bytes that came
    /// are not four.
    package var checksum: UInt32?
    /// The checksum goes on over the attachment.
    package var checksumCoversAttachment = false
    /// The connection's credential.
    package var authenticationData: [UInt8]?
    /// The sender's end of a stream that this call opens.
    package var streamSettings: StreamSettings?
    /// Metadata in order of writing; a later key wins.
    package var userFields: [String: String] = [:]
    /// What our own ends add.
    package var envelopeExtension: EnvelopeExtension? {
        get { boxedExtension?.value }
        set { boxedExtension = newValue.map(EnvelopeExtension.Box.init) }
    }

    /// Nearly every meta has none, and each copy of a meta would move its bytes.
    private var boxedExtension: EnvelopeExtension.Box?

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
    /// Bytes that the sender keeps for what it has not read yet (E5); plain peers never say.
    package var initialWindowBytes: Int64?
    /// The sender's numbers for further streams of the same call (bRPC's batch creation).
    ///
    /// The i-th belongs with the i-th of the answer, which needs as many (rpc-wire, 1.8).
    package var extraStreamIDs: [Int64]

    /// Makes settings.
    package init(
        streamID: Int64, needFeedback: Bool, writable: Bool, initialWindowBytes: Int64? = nil,
        extraStreamIDs: [Int64] = []
    ) {
        self.extraStreamIDs = extraStreamIDs
        self.streamID = streamID
        self.needFeedback = needFeedback
        self.writable = writable
        self.initialWindowBytes = initialWindowBytes
    }
}
