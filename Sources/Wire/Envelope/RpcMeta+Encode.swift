import CProto
import CProtobufC

extension RpcMeta {
    /// Writes the meta and lends its bytes, which live only while `body` runs.
    ///
    /// Of a packet with another attachment than ``attachmentSize`` says, its size is given here:
    /// to change it in a copy would cost each call one.
    /// - Throws: ``WireError/unencodable(_:)`` if it is larger than any packet may be.
    package func encode(
        attachmentSize: Int32? = nil, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(WireError) {
        let attachmentSize = attachmentSize ?? self.attachmentSize
        if PlainMetaWriter.lend(self, attachmentSize: attachmentSize, body) { return }
        try pack(attachmentSize: attachmentSize, body)
    }

    /// Writes the meta that says that a call succeeded, and nothing else, and lends its bytes: most
    /// answers have no other.
    package static func encodeSuccess(
        correlationID: Int64, attachmentSize: Int32, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        PlainMetaWriter.lendSuccess(
            correlationID: correlationID, attachmentSize: attachmentSize, body)
    }

    /// Writes the meta of a request that has no more to say than this, and lends its bytes; false,
    /// and nothing is lent, if it has to be written as a whole.
    package static func encodeRequest(
        _ request: borrowing RpcRequestMeta, correlationID: Int64, attachmentSize: Int32,
        userFields: [String: String], _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        PlainMetaWriter.lendRequest(
            request, correlationID: correlationID, attachmentSize: attachmentSize,
            userFields: userFields, body)
    }

    /// Writes the meta by protobuf-c, be it plain or not, and lends its bytes.
    /// - Throws: as ``encode(attachmentSize:_:)``.
    package func pack(
        attachmentSize: Int32, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(WireError) {
        try EnvelopeArena.withPacked(
            dynamicBytes: dynamicBytes, { arena in lay(out: &arena, attachmentSize) }, body)
    }

    /// Bytes of texts, and a generous share for each structure that carries one.
    private var dynamicBytes: Int {
        var bytes = authenticationData.map { $0.count + 16 } ?? 0
        if let request {
            bytes += request.serviceName.utf8.count + request.methodName.utf8.count + 32
        }
        if let response { bytes += response.errorText.utf8.count + 16 }
        if let streamSettings { bytes += streamSettings.extraStreamIDs.count * 24 }
        return bytes + userFields.envelopeBytes + (envelopeExtension?.dynamicBytes ?? 0)
    }

    private func lay(
        out arena: inout EnvelopeArena, _ attachmentSize: Int32
    ) -> UnsafeMutablePointer<ProtobufCMessage>? {
        guard let meta = arena.allocate(Tollgate__Rpc__RpcMeta.self) else { return nil }
        tollgate__rpc__rpc_meta__init(meta)
        if let request { meta.pointee.request = request.lay(out: &arena) }
        if let response { meta.pointee.response = response.lay(out: &arena) }
        if compressType != 0 {
            meta.pointee.has_compress_type = 1
            meta.pointee.compress_type = compressType
        }
        if correlationID != 0 {
            meta.pointee.has_correlation_id = 1
            meta.pointee.correlation_id = correlationID
        }
        if attachmentSize != 0 {
            meta.pointee.has_attachment_size = 1
            meta.pointee.attachment_size = attachmentSize
        }
        if checksumType != 0, let checksum {
            meta.pointee.has_checksum_type = 1
            meta.pointee.checksum_type = checksumType
            meta.pointee.has_checksum_value = 1
            let bytes = withUnsafeBytes(of: checksum.bigEndian) { arena.copy($0) }
            guard let bytes else { return nil }
            meta.pointee.checksum_value = bytes
            if checksumCoversAttachment {
                meta.pointee.has_checksum_with_attachment = 1
                meta.pointee.checksum_with_attachment = 1
            }
        }
        if let authenticationData, let bytes = arena.copy(authenticationData) {
            meta.pointee.has_authentication_data = 1
            meta.pointee.authentication_data = bytes
        }
        if let streamSettings { meta.pointee.stream_settings = streamSettings.lay(out: &arena) }
        if !userFields.isEmpty, let fields = userFields.lay(out: &arena) {
            meta.pointee.n_user_fields = userFields.count
            meta.pointee.user_fields = fields
        }
        if let envelopeExtension {
            meta.pointee.extension = envelopeExtension.lay(out: &arena)
        }
        return UnsafeMutableRawPointer(meta).assumingMemoryBound(to: ProtobufCMessage.self)
    }
}

extension RpcRequestMeta {
    fileprivate func lay(
        out arena: inout EnvelopeArena
    ) -> UnsafeMutablePointer<Tollgate__Rpc__RpcRequestMeta>? {
        guard let meta = arena.allocate(Tollgate__Rpc__RpcRequestMeta.self),
            let service = arena.copy(serviceName.utf8), let method = arena.copy(methodName.utf8)
        else { return nil }
        tollgate__rpc__rpc_request_meta__init(meta)
        meta.pointee.service_name = service
        meta.pointee.method_name = method
        if let timeoutMilliseconds {
            meta.pointee.has_timeout_ms = 1
            meta.pointee.timeout_ms = timeoutMilliseconds
        }
        return meta
    }
}

extension RpcResponseMeta {
    fileprivate func lay(
        out arena: inout EnvelopeArena
    ) -> UnsafeMutablePointer<Tollgate__Rpc__RpcResponseMeta>? {
        guard let meta = arena.allocate(Tollgate__Rpc__RpcResponseMeta.self) else { return nil }
        tollgate__rpc__rpc_response_meta__init(meta)
        // bRPC writes the code even when it is 0; so do we.
        meta.pointee.has_error_code = 1
        meta.pointee.error_code = errorCode
        if !errorText.isEmpty, let text = arena.copy(errorText.utf8) {
            meta.pointee.has_error_text = 1
            meta.pointee.error_text = text
        }
        return meta
    }
}

extension StreamSettings {
    fileprivate func lay(
        out arena: inout EnvelopeArena
    ) -> UnsafeMutablePointer<Tollgate__Rpc__StreamSettings>? {
        guard let settings = arena.allocate(Tollgate__Rpc__StreamSettings.self) else { return nil }
        tollgate__rpc__stream_settings__init(settings)
        settings.pointee.stream_id = streamID
        settings.pointee.has_need_feedback = 1
        settings.pointee.need_feedback = needFeedback ? 1 : 0
        settings.pointee.has_writable = 1
        settings.pointee.writable = writable ? 1 : 0
        if let initialWindowBytes {
            var ours = EnvelopeExtension()
            ours.initialWindowBytes = initialWindowBytes
            settings.pointee.extension = ours.lay(out: &arena)
        }
        guard !extraStreamIDs.isEmpty else { return settings }
        let size = extraStreamIDs.count * MemoryLayout<Int64>.stride
        guard let memory = arena.allocate(size) else { return nil }
        let numbers = memory.bindMemory(to: Int64.self, capacity: extraStreamIDs.count)
        for (index, number) in extraStreamIDs.enumerated() { numbers[index] = number }
        settings.pointee.n_extra_stream_ids = extraStreamIDs.count
        settings.pointee.extra_stream_ids = numbers
        return settings
    }
}
