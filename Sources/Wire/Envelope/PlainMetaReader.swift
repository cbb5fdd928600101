import CProto
import CProtobufC

/// Reads the metas that nearly every packet has into protobuf-c's structures, but not by it.
///
/// A seventh of an echo's instructions were protobuf-c's general reader and the memory it wants.
/// What is read here wants none: texts stay where they came. It knows the fields of plain calls,
/// each with a number below 16, lengths below 128, and no message twice. All else (streams,
/// credentials, our extension, unknown fields, whatever does not parse) it leaves to protobuf-c,
/// which alone decides what is an error; where this one reads a meta, protobuf-c reads the same
/// (PlainMetaTests, and `make fuzz`).
struct PlainMetaReader {
    private var next: UnsafePointer<UInt8>
    private var end: UnsafePointer<UInt8>
    private let parts: Parts

    /// Where what is read goes; of the fields nothing is initialised.
    private struct Parts {
        let meta: UnsafeMutablePointer<Tollgate__Rpc__RpcMeta>
        let request: UnsafeMutablePointer<Tollgate__Rpc__RpcRequestMeta>
        let response: UnsafeMutablePointer<Tollgate__Rpc__RpcResponseMeta>
        let fields: UnsafeMutablePointer<Tollgate__Rpc__UserField>
        let table: UnsafeMutablePointer<UnsafeMutablePointer<Tollgate__Rpc__UserField>?>
    }

    /// User fields that are read here; packets with more are rare.
    private static let userFieldsMaximum = 4
    /// The longest meta that is read here; ours have 807 bytes at most.
    ///
    /// What has many more fields than fit in there protobuf-c may find too large for its arena, and
    /// then it is an error.
    private static let bytesMaximum = 1_024

    /// Lends the meta, unless protobuf-c has to read it; whether it was lent.
    ///
    /// It is valid only while `body` runs.
    static func lend(
        _ bytes: UnsafeRawBufferPointer,
        _ body: (UnsafePointer<Tollgate__Rpc__RpcMeta>) throws(WireError) -> Void
    ) throws(WireError) -> Bool {
        guard bytes.count <= bytesMaximum,
            let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        else { return false }
        var failure: WireError?
        let isLent = withParts { parts in
            var reader = PlainMetaReader(next: start, end: start + bytes.count, parts: parts)
            guard reader.readMeta() else { return false }
            do throws(WireError) { try body(UnsafePointer(parts.meta)) } catch { failure = error }
            return true
        }
        if let failure { throw failure }
        return isLent
    }

    private static func withParts(_ body: (Parts) -> Bool) -> Bool {
        var meta = Tollgate__Rpc__RpcMeta()
        var request = Tollgate__Rpc__RpcRequestMeta()
        var response = Tollgate__Rpc__RpcResponseMeta()
        return withUnsafeTemporaryAllocation(
            of: Tollgate__Rpc__UserField.self, capacity: userFieldsMaximum
        ) { fields in
            withUnsafeTemporaryAllocation(
                of: UnsafeMutablePointer<Tollgate__Rpc__UserField>?.self,
                capacity: userFieldsMaximum
            ) { table in
                guard let fields = fields.baseAddress, let table = table.baseAddress else {
                    return false
                }
                return withUnsafeMutablePointer(to: &meta) { meta in
                    withUnsafeMutablePointer(to: &request) { request in
                        withUnsafeMutablePointer(to: &response) { response in
                            body(
                                Parts(
                                    meta: meta, request: request, response: response,
                                    fields: fields, table: table))
                        }
                    }
                }
            }
        }
    }

    // MARK: Messages

    private mutating func readMeta() -> Bool {
        let meta = parts.meta
        while let tag = tag() {
            let isRead =
                switch tag {
                case 0x0a: readRequest()
                case 0x12: readResponse()
                case 0x18: read(&meta.pointee.compress_type, &meta.pointee.has_compress_type)
                case 0x20: read(&meta.pointee.correlation_id, &meta.pointee.has_correlation_id)
                case 0x28: read(&meta.pointee.attachment_size, &meta.pointee.has_attachment_size)
                case 0x4a: readUserField()
                case 0x50: read(&meta.pointee.content_type, &meta.pointee.has_content_type)
                case 0x58: read(&meta.pointee.checksum_type, &meta.pointee.has_checksum_type)
                // bRPC's answers bring it empty.
                case 0x62: read(&meta.pointee.checksum_value, &meta.pointee.has_checksum_value)
                default: false
                }
            guard isRead else { return false }
        }
        return true
    }

    private mutating func readRequest() -> Bool {
        // A second one would be merged with the first.
        guard parts.meta.pointee.request == nil, let outerEnd = enter() else { return false }
        let request = parts.request
        var ignored: (number: Int64, isThere: protobuf_c_boolean) = (0, 0)
        while let tag = tag() {
            let isRead =
                switch tag {
                case 0x0a: read(&request.pointee.service_name)
                case 0x12: read(&request.pointee.method_name)
                // What tracing in bRPC numbers a call by: nobody here asks for it.
                case 0x18, 0x20, 0x28, 0x30: read(&ignored.number, &ignored.isThere)
                case 0x40: read(&request.pointee.timeout_ms, &request.pointee.has_timeout_ms)
                default: false
                }
            guard isRead else { return false }
        }
        end = outerEnd
        // Both are required.
        guard request.pointee.service_name.data != nil, request.pointee.method_name.data != nil
        else { return false }
        parts.meta.pointee.request = request
        return true
    }

    private mutating func readResponse() -> Bool {
        guard parts.meta.pointee.response == nil, let outerEnd = enter() else { return false }
        let response = parts.response
        while let tag = tag() {
            let isRead =
                switch tag {
                case 0x08: read(&response.pointee.error_code, &response.pointee.has_error_code)
                case 0x12: read(&response.pointee.error_text, &response.pointee.has_error_text)
                default: false
                }
            guard isRead else { return false }
        }
        end = outerEnd
        parts.meta.pointee.response = response
        return true
    }

    private mutating func readUserField() -> Bool {
        let count = parts.meta.pointee.n_user_fields
        guard count < Self.userFieldsMaximum, let outerEnd = enter() else { return false }
        let field = parts.fields + count
        field.initialize(to: Tollgate__Rpc__UserField())
        while let tag = tag() {
            let isRead =
                switch tag {
                case 0x0a: read(&field.pointee.key, &field.pointee.has_key)
                case 0x12: read(&field.pointee.value, &field.pointee.has_value)
                default: false
                }
            guard isRead else { return false }
        }
        end = outerEnd
        (parts.table + count).initialize(to: field)
        parts.meta.pointee.user_fields = parts.table
        parts.meta.pointee.n_user_fields = count + 1
        return true
    }

    // MARK: Fields

    /// The next field's number and form as its one byte; nil at the end.
    private mutating func tag() -> UInt8? {
        guard next < end else { return nil }
        defer { next += 1 }
        return next.pointee
    }

    /// Goes into a message; where its surroundings end, or nil if it is too long for here.
    private mutating func enter() -> UnsafePointer<UInt8>? {
        guard let count = length() else { return nil }
        let outerEnd = end
        end = next + count
        return outerEnd
    }

    /// A length of one byte whose bytes are all there.
    private mutating func length() -> Int? {
        guard next < end, next.pointee < 0x80, Int(next.pointee) < end - next else { return nil }
        defer { next += 1 }
        return Int(next.pointee)
    }

    private mutating func read(_ bytes: inout ProtobufCBinaryData) -> Bool {
        guard let count = length() else { return false }
        bytes = ProtobufCBinaryData(len: count, data: UnsafeMutablePointer(mutating: next))
        next += count
        return true
    }

    private mutating func read(
        _ bytes: inout ProtobufCBinaryData, _ isThere: inout protobuf_c_boolean
    ) -> Bool {
        isThere = 1
        return read(&bytes)
    }

    private mutating func read<Number: FixedWidthInteger>(
        _ number: inout Number, _ isThere: inout protobuf_c_boolean
    ) -> Bool {
        guard let value = varint() else { return false }
        number = Number(truncatingIfNeeded: value)
        isThere = 1
        return true
    }

    /// A number of at most ten bytes; what is beyond 64 bits is dropped, as protobuf-c does.
    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while next < end, shift < 70 {
            let byte = next.pointee
            next += 1
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
