internal import CProtobufC
internal import CProtocPlugin

/// Reads `option (facts)`, which protobuf-c keeps among a MethodOptions' unknown fields.
enum FactsReading {
    /// The number of `extend google.protobuf.MethodOptions { MethodFacts facts = … }`.
    private static let fieldNumber: UInt32 = 50_120

    /// The facts; nil if the method states none.
    static func read(_ options: UnsafeMutablePointer<Google__Protobuf__MethodOptions>) -> Facts? {
        let base = options.pointee.base
        let unknown = UnsafeBufferPointer(
            start: base.unknown_fields,
            count: base.unknown_fields == nil ? 0 : Int(base.n_unknown_fields))
        // The option may be given in parts; parts one after another are one message.
        var bytes: [UInt8] = []
        var isPresent = false
        for field in unknown where field.tag == fieldNumber {
            guard field.wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED else { continue }
            isPresent = true
            let data = UnsafeBufferPointer(start: field.data, count: field.len)
            // The length comes first: bytes with the high bit set and one without.
            bytes += data.drop { $0 >= 0x80 }.dropFirst()
        }
        guard isPresent,
            let unpacked = tollgate__v1__method_facts__unpack(nil, bytes.count, bytes)
        else { return nil }
        defer { tollgate__v1__method_facts__free_unpacked(unpacked, nil) }
        let roles = UnsafeBufferPointer(
            start: unpacked.pointee.roles, count: unpacked.pointee.n_roles)
        return Facts(
            access: unpacked.pointee.access.rawValue, roles: roles.map(\.rawValue),
            isIdempotent: unpacked.pointee.idempotent != 0,
            defaultDeadlineMilliseconds: unpacked.pointee.default_deadline_milliseconds)
    }
}
