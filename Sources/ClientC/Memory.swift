import CTollgate
import Glibc
import TollgateClient

/// Memory that C frees; never NULL, also for nothing.
func copy(_ bytes: [UInt8]) throws -> UnsafeMutableRawPointer {
    guard let pointer = malloc(max(bytes.count, 1)) else {
        throw CallFailure(code: "internal_error", "There is no memory for the answer.")
    }
    bytes.withUnsafeBytes { source in
        if let start = source.baseAddress { memcpy(pointer, start, source.count) }
    }
    return pointer
}

extension tollgate_answer {
    /// Copies an answer; what was copied before a failure stays here to be freed.
    mutating func fill(_ answer: CallAnswer<[UInt8]>) throws {
        message = try copy(answer.message).assumingMemoryBound(to: UInt8.self)
        message_length = answer.message.count
        attachment = try copy(answer.attachment).assumingMemoryBound(to: UInt8.self)
        attachment_length = answer.attachment.count
        let sorted = answer.userFields.sorted { $0.key < $1.key }
        // One piece of memory: the entries, and behind them the texts that they point to.
        let entryBytes = sorted.count * MemoryLayout<tollgate_field>.stride
        let texts = sorted.flatMap { field -> [UInt8] in
            Array(field.key.utf8) + [0] + Array(field.value.utf8) + [0]
        }
        let memory = try copy([UInt8](repeating: 0, count: entryBytes) + texts)
        let entries = memory.bindMemory(to: tollgate_field.self, capacity: sorted.count)
        var place = entryBytes
        func next(_ text: String) -> UnsafePointer<CChar> {
            defer { place += text.utf8.count + 1 }
            return UnsafePointer((memory + place).assumingMemoryBound(to: CChar.self))
        }
        for (index, field) in sorted.enumerated() {
            entries[index] = tollgate_field(name: next(field.key), value: next(field.value))
        }
        fields = entries
        field_count = sorted.count
    }
}

extension TollgateClientTLS {
    /// Copies what C says about encryption.
    init(_ tls: tollgate_tls) {
        self.init(
            authoritiesPath: tls.authorities_path.map { String(cString: $0) },
            serverName: tls.server_name.map { String(cString: $0) },
            certificatePath: tls.certificate_path.map { String(cString: $0) },
            keyPath: tls.key_path.map { String(cString: $0) })
    }
}
