import CProto
import CProtobufC
import TollgateKernel

/// A received RpcMeta, read in place: valid only inside the closure that lends it.
///
/// The server reads a hundred thousand of these a second, so nothing is copied that is not asked
/// for; ``RpcMeta/init(_:)`` copies everything.
package struct RpcMetaView {
    private let meta: UnsafePointer<Tollgate__Rpc__RpcMeta>

    private init(_ meta: UnsafePointer<Tollgate__Rpc__RpcMeta>) { self.meta = meta }

    /// Reads one meta and lends it.
    /// - Throws: ``WireError`` if the bytes do not parse, a required field is missing, the
    ///   attachment's size is negative, or `body` throws.
    package static func with(
        _ bytes: UnsafeRawBufferPointer, _ body: (RpcMetaView) throws(WireError) -> Void
    ) throws(WireError) {
        let isLent = try PlainMetaReader.lend(bytes) { (meta) throws(WireError) in
            try body(RpcMetaView(checked: meta))
        }
        if !isLent { try withUnpacked(bytes, body) }
    }

    /// Does the same by protobuf-c alone.
    /// - Throws: as ``with(_:_:)``.
    package static func withUnpacked(
        _ bytes: UnsafeRawBufferPointer, _ body: (RpcMetaView) throws(WireError) -> Void
    ) throws(WireError) {
        try EnvelopeArena.withUnpacked(
            bytes, by: tollgate__rpc__rpc_meta__unpack
        ) { (meta: UnsafePointer<Tollgate__Rpc__RpcMeta>) throws(WireError) in
            try body(RpcMetaView(checked: meta))
        }
    }

    private init(checked meta: UnsafePointer<Tollgate__Rpc__RpcMeta>) throws(WireError) {
        guard meta.pointee.attachment_size >= 0 else {
            throw .malformed("the attachment's size is negative")
        }
        self.init(meta)
    }

    /// Whether the packet asks for something.
    package var isRequest: Bool { meta.pointee.request != nil }

    /// Whether the packet answers something.
    package var isResponse: Bool { meta.pointee.response != nil }

    /// The service's name as sent; empty in responses.
    package var serviceName: UnsafeRawBufferPointer {
        meta.pointee.request.map { UnsafeRawBufferPointer($0.pointee.service_name) } ?? .empty
    }

    /// The method's name as sent; empty in responses.
    package var methodName: UnsafeRawBufferPointer {
        meta.pointee.request.map { UnsafeRawBufferPointer($0.pointee.method_name) } ?? .empty
    }

    /// The time the caller still has, in milliseconds.
    package var timeoutMilliseconds: Int32? {
        guard let request = meta.pointee.request, request.pointee.has_timeout_ms != 0 else {
            return nil
        }
        return request.pointee.timeout_ms
    }

    /// The outcome's code; 0 if none was sent.
    package var errorCode: Int32 { meta.pointee.response?.pointee.error_code ?? 0 }

    /// The outcome's sentence; what is not UTF-8 in it is replaced, for it is only shown.
    package var errorText: String {
        guard let response = meta.pointee.response else { return "" }
        return String(
            decoding: UnsafeRawBufferPointer(response.pointee.error_text), as: UTF8.self)
    }

    /// How the payload is compressed: 0 is not at all.
    package var compressType: Int32 { meta.pointee.compress_type }

    /// The caller's number for the call; 0 if absent.
    package var correlationID: Int64 { meta.pointee.correlation_id }

    /// Bytes at the packet's end that are no part of the payload; never negative.
    package var attachmentSize: Int32 { meta.pointee.attachment_size }

    /// Whether the packet is a part of a bigger one, in a way we do not speak.
    package var isChunk: Bool { meta.pointee.chunk_info != nil }

    /// What the payload is: 0 is protobuf.
    package var contentType: Int32 { meta.pointee.content_type }

    /// How the payload's checksum was made: 0 is none.
    package var checksumType: Int32 { meta.pointee.checksum_type }

    /// The checksum in its wire form, four bytes as a big-endian number; nil if it is not four
    /// bytes.
    ///
    /// bRPC's responses always carry the field, perhaps with the request's bytes: it means nothing
    /// unless ``checksumType`` says so.
    package var checksum: UInt32? {
        let value = meta.pointee.checksum_value
        guard meta.pointee.has_checksum_value != 0, value.len == 4 else { return nil }
        return UnsafeRawBufferPointer(value).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Whether the checksum goes on over the attachment.
    package var checksumCoversAttachment: Bool { meta.pointee.checksum_with_attachment != 0 }

    /// The connection's credential.
    package var authenticationData: [UInt8]? {
        guard meta.pointee.has_authentication_data != 0 else { return nil }
        return Array(UnsafeRawBufferPointer(meta.pointee.authentication_data))
    }

    /// The sender's end of a stream; of further ones no more than
    /// ``Limits/rpcExtraStreamIDs`` are read.
    package var streamSettings: StreamSettings? {
        guard let settings = meta.pointee.stream_settings else { return nil }
        return StreamSettings(
            streamID: settings.pointee.stream_id,
            needFeedback: settings.pointee.need_feedback != 0,
            writable: settings.pointee.writable != 0,
            initialWindowBytes: settings.pointee.extension.flatMap { ours in
                ours.pointee.has_initial_window != 0 ? ours.pointee.initial_window : nil
            },
            extraStreamIDs: Array(
                UnsafeBufferPointer(
                    start: settings.pointee.extra_stream_ids,
                    count: min(
                        settings.pointee.n_extra_stream_ids, Limits.rpcExtraStreamIDs))))
    }

    /// Metadata; a later key wins.
    /// - Throws: ``WireError/malformed(_:)`` if there are too many or they are not UTF-8.
    package func userFields() throws(WireError) -> [String: String] {
        guard meta.pointee.n_user_fields > 0 else { return [:] }
        return try .init(fields: meta.pointee.user_fields, count: meta.pointee.n_user_fields)
    }

    /// Metadata as a request's reader wants it; a later key wins.
    /// - Throws: as ``userFields()``.
    package func requestFields() throws(WireError) -> RequestFields {
        guard meta.pointee.n_user_fields > 0 else { return RequestFields() }
        return try RequestFields(
            fields: meta.pointee.user_fields, count: meta.pointee.n_user_fields)
    }

    /// What our own ends add.
    /// - Throws: ``WireError/malformed(_:)`` if its trailers are too many or not UTF-8.
    package func envelopeExtension() throws(WireError) -> EnvelopeExtension.Box? {
        guard let pointer = meta.pointee.extension else { return nil }
        return .init(try EnvelopeExtension(pointer))
    }
}

extension RpcMeta {
    /// Copies what a view shows.
    /// - Throws: ``WireError/malformed(_:)`` if a text is not UTF-8.
    package init(_ view: RpcMetaView) throws(WireError) {
        if view.isRequest {
            request = RpcRequestMeta(
                serviceName: try String(wire: view.serviceName),
                methodName: try String(wire: view.methodName),
                timeoutMilliseconds: view.timeoutMilliseconds)
        }
        if view.isResponse {
            response = RpcResponseMeta(errorCode: view.errorCode, errorText: view.errorText)
        }
        compressType = view.compressType
        checksumType = view.checksumType
        checksum = view.checksum
        checksumCoversAttachment = view.checksumCoversAttachment
        correlationID = view.correlationID
        attachmentSize = view.attachmentSize
        authenticationData = view.authenticationData
        streamSettings = view.streamSettings
        userFields = try view.userFields()
        envelopeExtension = try view.envelopeExtension()?.value
    }

    /// Reads and copies one meta.
    /// - Throws: ``WireError`` as ``RpcMetaView/with(_:_:)`` does.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> RpcMeta {
        var meta = RpcMeta()
        try RpcMetaView.with(bytes) { (view) throws(WireError) in meta = try RpcMeta(view) }
        return meta
    }
}
