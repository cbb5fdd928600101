internal import CProtobufC
internal import TollgateKernel

/// A message that a C struct of protobuf-c stands behind; generated for every message.
protocol CBacked: WireMessage {
    /// The struct that protoc-c made.
    associatedtype CStruct

    /// Sets a struct to the message's defaults.
    static func initialize(_ target: UnsafeMutablePointer<CStruct>)

    /// Copies the values out of a struct that protobuf-c unpacked into an ``Arena``.
    init(reading source: UnsafePointer<CStruct>) throws(WireError)

    /// Copies the values into an initialised struct; texts and arrays go into the arena.
    func write(to target: UnsafeMutablePointer<CStruct>, in arena: Arena) throws(WireError)
}

extension CBacked {
    /// Protobuf-c's description of the struct, taken from an initialised one: Swift cannot take the
    /// address of a C constant.
    static var cDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
        withUnsafeTemporaryAllocation(of: CStruct.self, capacity: 1) { buffer in
            guard let target = buffer.baseAddress else { return nil }
            initialize(target)
            return UnsafeRawPointer(target)
                .assumingMemoryBound(to: ProtobufCMessage.self).pointee.descriptor
        }
    }
}

/// Bytes to messages and back, through protobuf-c.
enum Codec {
    /// What reading may allocate: four times the input plus 64 KiB.
    ///
    /// A sub-message of two bytes costs about 70 in memory; without a bound, 16 MiB of input could
    /// ask for half a gigabyte.
    static func limitBytes(forInput count: Int) -> Int {
        count * Limits.wireMemoryPerByte + Limits.wireMemoryFloorBytes
    }

    /// Reads a message.
    ///
    /// Of a sub-message that comes in parts, which no encoder writes, the last part's plain fields
    /// count: protobuf-c does not merge them. It also takes −0 in a plain field for 0.
    static func decode<Message: CBacked>(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> Message {
        guard bytes.count > 0 else { return Message() }
        let arena = Arena.current
        let limit = limitBytes(forInput: bytes.count)
        let mark = arena.mark(limitBytes: limit)
        defer { arena.release(mark) }
        let unpacked = protobuf_c_message_unpack(
            Message.cDescriptor, arena.allocator, bytes.count,
            bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        guard let unpacked else {
            if arena.isRefusing { throw .tooLarge(limitBytes: limit) }
            throw .malformed("\(bytes.count) bytes are not a \(Message.descriptor.name)")
        }
        return try Message(
            reading: UnsafeRawPointer(unpacked).assumingMemoryBound(to: Message.CStruct.self))
    }

    /// Writes a message and lends its bytes to `body`.
    static func withEncoded<Message: CBacked, Result>(
        _ message: Message, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        let arena = Arena.current
        let mark = arena.mark(limitBytes: .max)
        defer { arena.release(mark) }
        return try body(encode(message, in: arena))
    }

    /// Writes a message into the arena.
    private static func encode<Message: CBacked>(
        _ message: Message, in arena: Arena
    ) throws(WireError) -> UnsafeRawBufferPointer {
        let filled = try arena.message(message)
        let base = UnsafePointer<ProtobufCMessage>(
            UnsafeRawPointer(filled).assumingMemoryBound(to: ProtobufCMessage.self))
        let count = protobuf_c_message_get_packed_size(base)
        let output = try arena.allocate(count)
        protobuf_c_message_pack(base, output.assumingMemoryBound(to: UInt8.self))
        return UnsafeRawBufferPointer(start: output, count: count)
    }
}
