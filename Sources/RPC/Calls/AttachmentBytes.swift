internal import NIOCore

// Attachments for targets that know no buffers of SwiftNIO.

extension OutgoingCall {
    /// Sends bytes beside the request's message; they are copied.
    package mutating func attach(_ bytes: [UInt8]) {
        attachment = bytes.isEmpty ? ByteBuffer() : ByteBuffer(bytes: bytes)
    }
}

extension IncomingResponse {
    /// What came beside the response's message; a copy.
    package var attachmentBytes: [UInt8] { Array(buffer: attachment) }
}

extension ServerCallContext {
    /// What came beside the request's message; a copy.
    package var attachmentBytes: [UInt8] { Array(buffer: attachment) }

    /// Sets the bytes to send beside the response's message; they are copied.
    package func setResponseAttachment(_ bytes: [UInt8]) {
        setResponseAttachment(ByteBuffer(bytes: bytes))
    }
}
