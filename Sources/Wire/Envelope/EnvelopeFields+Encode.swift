import CProto
import CProtobufC

extension EnvelopeArena {
    /// Bytes for the fixed C structures of the largest envelope.
    private static let structureBytes = 1_024

    /// Lays out a message, packs it, and lends the bytes.
    ///
    /// What a common envelope takes is on the stack: only one that does not fit there is laid out
    /// again in memory of its own.
    static func withPacked(
        dynamicBytes: Int,
        _ lay: (inout EnvelopeArena) -> UnsafeMutablePointer<ProtobufCMessage>?,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(WireError) {
        if dynamicBytes < stackBytes / 2, pack(in: stackBytes, lay, body) { return }
        // Structures and texts once as C values and once as packed bytes, which are never longer.
        guard pack(in: 2 * (structureBytes + dynamicBytes), lay, body) else {
            throw .unencodable("the envelope does not fit its memory")
        }
    }

    /// Whether so many bytes were enough.
    private static func pack(
        in bytes: Int, _ lay: (inout EnvelopeArena) -> UnsafeMutablePointer<ProtobufCMessage>?,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        var isPacked = false
        with(bytes: bytes) { arena in
            guard let message = lay(&arena.pointee), !arena.pointee.overflowed else { return }
            let size = protobuf_c_message_get_packed_size(message)
            guard let place = arena.pointee.allocate(max(1, size)) else { return }
            let written = protobuf_c_message_pack(
                message, place.assumingMemoryBound(to: UInt8.self))
            body(UnsafeRawBufferPointer(start: place, count: written))
            isPacked = true
        }
        return isPacked
    }
}

extension [String: String] {
    /// Bytes that ``lay(out:)`` takes at most.
    var envelopeBytes: Int {
        reduce(0) { bytes, field in
            let structures = MemoryLayout<Tollgate__Rpc__UserField>.size + 64
            return bytes + structures + field.key.utf8.count + field.value.utf8.count
        }
    }

    /// Lays metadata out as protobuf-c wants it; nil if the arena is full.
    func lay(
        out arena: inout EnvelopeArena
    ) -> UnsafeMutablePointer<UnsafeMutablePointer<Tollgate__Rpc__UserField>?>? {
        typealias Pointer = UnsafeMutablePointer<Tollgate__Rpc__UserField>?
        guard let memory = arena.allocate(count * MemoryLayout<Pointer>.stride) else { return nil }
        let table = memory.bindMemory(to: Pointer.self, capacity: count)
        for (index, field) in self.enumerated() {
            guard let entry = arena.allocate(Tollgate__Rpc__UserField.self),
                let key = arena.copy(field.key.utf8), let value = arena.copy(field.value.utf8)
            else { return nil }
            tollgate__rpc__user_field__init(entry)
            entry.pointee.has_key = 1
            entry.pointee.key = key
            entry.pointee.has_value = 1
            entry.pointee.value = value
            (table + index).initialize(to: entry)
        }
        return table
    }
}

extension EnvelopeExtension {
    /// Bytes of texts that ``lay(out:)`` takes at most.
    var dynamicBytes: Int { (errorText?.utf8.count ?? 0) + 16 + trailers.envelopeBytes }

    /// Lays the extension out as protobuf-c wants it; nil if the arena is full.
    func lay(
        out arena: inout EnvelopeArena
    ) -> UnsafeMutablePointer<Tollgate__Rpc__Extension>? {
        guard let fields = arena.allocate(Tollgate__Rpc__Extension.self) else { return nil }
        tollgate__rpc__extension__init(fields)
        if let version {
            fields.pointee.has_version = 1
            fields.pointee.version = version
        }
        if let features {
            fields.pointee.has_features = 1
            fields.pointee.features = features.rawValue
        }
        if let cancelID {
            fields.pointee.has_cancel_id = 1
            fields.pointee.cancel_id = cancelID
        }
        if let errorCode {
            fields.pointee.has_error_code = 1
            fields.pointee.error_code = errorCode
        }
        if let errorText, let text = arena.copy(errorText.utf8) {
            fields.pointee.has_error_text = 1
            fields.pointee.error_text = text
        }
        layHints(out: fields)
        if !trailers.isEmpty, let table = trailers.lay(out: &arena) {
            fields.pointee.n_trailers = trailers.count
            fields.pointee.trailers = table
        }
        return fields
    }

    private func layHints(out fields: UnsafeMutablePointer<Tollgate__Rpc__Extension>) {
        func bit(_ value: Bool) -> protobuf_c_boolean { value ? 1 : 0 }
        if let endOfStream {
            fields.pointee.has_end_of_stream = 1
            fields.pointee.end_of_stream = bit(endOfStream)
        }
        if let initialWindowBytes {
            fields.pointee.has_initial_window = 1
            fields.pointee.initial_window = initialWindowBytes
        }
        if let control {
            fields.pointee.has_control = 1
            fields.pointee.control = control.rawValue
        }
        if let lastAccepted {
            fields.pointee.has_last_accepted = 1
            fields.pointee.last_accepted = lastAccepted
        }
        if let graceMilliseconds {
            fields.pointee.has_grace_ms = 1
            fields.pointee.grace_ms = graceMilliseconds
        }
        if let priority {
            fields.pointee.has_priority = 1
            fields.pointee.priority = priority
        }
        if let noReply {
            fields.pointee.has_no_reply = 1
            fields.pointee.no_reply = bit(noReply)
        }
        if let acceptCompress {
            fields.pointee.has_accept_compress = 1
            fields.pointee.accept_compress = acceptCompress
        }
        if let retryAfterMilliseconds {
            fields.pointee.has_retry_after_ms = 1
            fields.pointee.retry_after_ms = retryAfterMilliseconds
        }
        if let notProcessed {
            fields.pointee.has_not_processed = 1
            fields.pointee.not_processed = bit(notProcessed)
        }
    }
}
