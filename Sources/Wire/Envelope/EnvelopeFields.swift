import CProto
import CProtobufC
import TollgateKernel

extension UnsafeRawBufferPointer {
    /// No bytes.
    static var empty: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    /// The bytes protobuf-c points at.
    init(_ data: ProtobufCBinaryData) {
        self.init(start: data.data, count: data.len)
    }
}

extension String {
    /// Text from the wire.
    /// - Throws: ``WireError/malformed(_:)`` if it is not UTF-8.
    init(wire bytes: UnsafeRawBufferPointer) throws(WireError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("the envelope holds text that is not UTF-8")
        }
        self = text
    }
}

extension [String: String] {
    /// Copies metadata.
    /// - Throws: ``WireError/malformed(_:)`` if there are too many or they are not UTF-8.
    init(
        fields: UnsafeMutablePointer<UnsafeMutablePointer<Tollgate__Rpc__UserField>?>?, count: Int
    ) throws(WireError) {
        guard count <= Limits.rpcUserFields else {
            throw .malformed("the envelope holds more than \(Limits.rpcUserFields) user fields")
        }
        self.init(minimumCapacity: count)
        for index in 0..<count {
            guard let field = fields?[index]?.pointee else { continue }
            let key = try String(wire: UnsafeRawBufferPointer(field.key))
            self[key] = try String(wire: UnsafeRawBufferPointer(field.value))
        }
    }
}

extension EnvelopeExtension {
    /// Copies an extension.
    /// - Throws: ``WireError/malformed(_:)`` if its trailers are too many or not UTF-8.
    init(_ pointer: UnsafePointer<Tollgate__Rpc__Extension>) throws(WireError) {
        let fields = pointer.pointee
        if fields.has_version != 0 { version = fields.version }
        if fields.has_features != 0 { features = Features(rawValue: fields.features) }
        if fields.has_cancel_id != 0 { cancelID = fields.cancel_id }
        if fields.has_error_code != 0 { errorCode = fields.error_code }
        if fields.has_error_text != 0 {
            errorText = String(
                decoding: UnsafeRawBufferPointer(fields.error_text), as: UTF8.self)
        }
        if fields.has_end_of_stream != 0 { endOfStream = fields.end_of_stream != 0 }
        if fields.has_initial_window != 0 { initialWindowBytes = fields.initial_window }
        if fields.has_control != 0 { control = Control(rawValue: fields.control) }
        if fields.has_last_accepted != 0 { lastAccepted = fields.last_accepted }
        if fields.has_grace_ms != 0 { graceMilliseconds = fields.grace_ms }
        if fields.has_priority != 0 { priority = fields.priority }
        if fields.has_accept_compress != 0 { acceptCompress = fields.accept_compress }
        if fields.has_retry_after_ms != 0 { retryAfterMilliseconds = fields.retry_after_ms }
        if fields.has_no_reply != 0 { noReply = fields.no_reply != 0 }
        if fields.has_not_processed != 0 { notProcessed = fields.not_processed != 0 }
        if fields.n_trailers > 0 {
            trailers = try .init(fields: fields.trailers, count: fields.n_trailers)
        }
    }
}
