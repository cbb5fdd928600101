/// Writes the metas that nearly every packet has, byte for byte as protobuf-c would.
///
/// A seventh of an echo's instructions went into laying an answer's meta out as C structures and
/// having protobuf-c measure and pack them. What is written here is as simple as a call is: a
/// request or an outcome, numbers, a few user fields. Each length takes one byte; whatever is
/// longer or richer is left to protobuf-c (PlainMetaTests holds both against each other).
struct PlainMetaWriter {
    private var next: UnsafeMutablePointer<UInt8>

    /// The most that a length of one byte can say.
    private static let lengthMaximum = 127
    /// User fields that are written here; packets with more are rare.
    private static let userFieldsMaximum = 4
    /// A request, an outcome and so many user fields, each with two bytes before it, and three
    /// numbers of at most ten bytes with one before them.
    private static let bytesMaximum = (2 + userFieldsMaximum) * (lengthMaximum + 2) + 3 * 11

    /// An outcome of one byte, and two numbers.
    private static let successBytesMaximum = 4 + 2 * 11

    /// Lends the meta's bytes, unless protobuf-c has to write it; whether they were lent.
    static func lend(
        _ meta: borrowing RpcMeta, attachmentSize: Int32,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        guard meta.checksumType == 0, meta.authenticationData == nil, meta.streamSettings == nil,
            meta.envelopeExtension == nil, meta.userFields.count <= userFieldsMaximum,
            meta.response?.errorText.isEmpty != false
        else { return false }
        return lend(bytesMaximum, { writer in writer.write(meta, attachmentSize) }, body)
    }

    /// Lends the bytes of the meta that says that a call succeeded, and nothing else.
    static func lendSuccess(
        correlationID: Int64, attachmentSize: Int32, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        _ = lend(
            successBytesMaximum,
            { writer in
                writer.write(0)
                writer.write(correlationID: correlationID, attachmentSize: attachmentSize)
                return true
            }, body)
    }

    /// Lends the bytes of a plain request's meta; false if protobuf-c has to write it.
    static func lendRequest(
        _ request: borrowing RpcRequestMeta, correlationID: Int64, attachmentSize: Int32,
        userFields: [String: String], _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        guard userFields.count <= userFieldsMaximum else { return false }
        return lend(
            bytesMaximum,
            { writer in
                guard writer.write(request) else { return false }
                writer.write(correlationID: correlationID, attachmentSize: attachmentSize)
                return writer.write(userFields)
            }, body)
    }

    /// Lends what was written into so many bytes, unless `write` says that it is not plain.
    @inline(__always)
    private static func lend(
        _ capacity: Int, _ write: (inout PlainMetaWriter) -> Bool,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { place in
            guard let start = place.baseAddress else { return false }
            var writer = PlainMetaWriter(next: start)
            guard write(&writer) else { return false }
            body(UnsafeRawBufferPointer(start: start, count: writer.next - start))
            return true
        }
    }

    private mutating func write(_ meta: borrowing RpcMeta, _ attachmentSize: Int32) -> Bool {
        if let request = meta.request {
            guard write(request) else { return false }
        }
        if let response = meta.response { write(response.errorCode) }
        if meta.compressType != 0 { put(0x18, UInt64(bitPattern: Int64(meta.compressType))) }
        write(correlationID: meta.correlationID, attachmentSize: attachmentSize)
        return write(meta.userFields)
    }

    private mutating func write(_ userFields: [String: String]) -> Bool {
        guard !userFields.isEmpty else { return true }
        for (key, value) in userFields {
            guard write(0x4a, key, value, moreBytes: 0) else { return false }
        }
        return true
    }

    /// An outcome's code; bRPC writes it even when it is 0, and so do we.
    private mutating func write(_ errorCode: Int32) {
        let code = UInt64(bitPattern: Int64(errorCode))
        put(0x12)
        put(UInt8(1 + Self.size(of: code)))
        put(0x08, code)
    }

    private mutating func write(correlationID: Int64, attachmentSize: Int32) {
        if correlationID != 0 { put(0x20, UInt64(bitPattern: correlationID)) }
        if attachmentSize != 0 { put(0x28, UInt64(bitPattern: Int64(attachmentSize))) }
    }

    private mutating func write(_ request: borrowing RpcRequestMeta) -> Bool {
        guard let timeout = request.timeoutMilliseconds else {
            return write(0x0a, request.serviceName, request.methodName, moreBytes: 0)
        }
        let number = UInt64(bitPattern: Int64(timeout))
        guard
            write(
                0x0a, request.serviceName, request.methodName,
                moreBytes: 1 + Self.size(of: number))
        else { return false }
        put(0x40, number)
        return true
    }

    /// A message whose fields 1 and 2 are texts, of which so many bytes more are to follow.
    private mutating func write(
        _ tag: UInt8, _ first: String, _ second: String, moreBytes: Int
    ) -> Bool {
        let (first, second) = (first.utf8, second.utf8)
        let bytes = 2 + first.count + 2 + second.count + moreBytes
        guard bytes <= Self.lengthMaximum else { return false }
        put(tag)
        put(UInt8(bytes))
        put(0x0a, first)
        put(0x12, second)
        return true
    }

    private mutating func put(_ tag: UInt8, _ text: String.UTF8View) {
        put(tag)
        let length = next
        next += 1
        let isCopied: Void? = text.withContiguousStorageIfAvailable { bytes in
            if let start = bytes.baseAddress { next.update(from: start, count: bytes.count) }
            next += bytes.count
        }
        if isCopied == nil { for byte in text { put(byte) } }
        length.pointee = UInt8(next - length - 1)
    }

    private mutating func put(_ tag: UInt8, _ number: UInt64) {
        put(tag)
        var rest = number
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func put(_ byte: UInt8) {
        next.pointee = byte
        next += 1
    }

    /// How many bytes a number takes.
    private static func size(of number: UInt64) -> Int {
        (UInt64.bitWidth - (number | 1).leadingZeroBitCount + 6) / 7
    }
}
