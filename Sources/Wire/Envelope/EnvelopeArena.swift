import CProtobufC

/// Memory for one envelope: a bump allocator that lives for the length of a closure.
///
/// protobuf-c reads into it, and outgoing C structures are laid out in it. Nothing is freed one by
/// one. A request for more than is left yields nil, which protobuf-c reports as a failed parse, so
/// a small packet cannot make us use much memory.
struct EnvelopeArena {
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private var used = 0

    /// Whether something did not fit.
    private(set) var overflowed = false

    private init(_ memory: UnsafeMutableRawBufferPointer, at base: UnsafeMutableRawPointer) {
        self.base = base
        capacity = memory.count
    }

    /// Bytes that a Swift closure can have on its stack; a common meta needs no more.
    static let stackBytes = 1_024

    /// The most that reading so many bytes may take.
    static func limit(reading count: Int) -> Int { 4 * count + 64 * 1_024 }

    /// Runs `body` with an arena of so many bytes.
    static func with<Result>(
        bytes count: Int, _ body: (UnsafeMutablePointer<EnvelopeArena>) throws -> Result
    ) rethrows -> Result? {
        try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { memory in
            guard let base = memory.baseAddress else { return nil }
            var arena = EnvelopeArena(memory, at: base)
            return try withUnsafeMutablePointer(to: &arena, body)
        }
    }

    /// Uninitialised bytes aligned to 16; nil once the arena is full.
    mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        guard count >= 0, count <= capacity - used else {
            overflowed = true
            return nil
        }
        let place = base + used
        // Rounding up may pass the end; the next request then finds nothing left.
        used = min(capacity, used + (count + 15) & ~15)
        return place
    }

    /// One uninitialised C structure.
    mutating func allocate<Structure>(_: Structure.Type) -> UnsafeMutablePointer<Structure>? {
        allocate(MemoryLayout<Structure>.size)?.bindMemory(to: Structure.self, capacity: 1)
    }

    /// A copy of some bytes in protobuf-c's form.
    mutating func copy<Bytes: Collection<UInt8>>(_ bytes: Bytes) -> ProtobufCBinaryData? {
        let count = bytes.count
        guard let place = allocate(max(1, count)) else { return nil }
        let target = UnsafeMutableRawBufferPointer(start: place, count: count)
        target.copyBytes(from: bytes)
        return ProtobufCBinaryData(
            len: count, data: place.assumingMemoryBound(to: UInt8.self))
    }

    /// protobuf-c's face of the arena at `arena`.
    static func allocator(
        over arena: UnsafeMutablePointer<EnvelopeArena>
    ) -> ProtobufCAllocator {
        ProtobufCAllocator(
            alloc: { data, count in
                data?.assumingMemoryBound(to: EnvelopeArena.self).pointee.allocate(count)
            },
            free: { _, _ in },
            allocator_data: UnsafeMutableRawPointer(arena))
    }
}

extension EnvelopeArena {
    /// Reads one message with protobuf-c's generated `unpack` and lends it; memory is the stack's
    /// if it is small.
    static func withUnpacked<Message, Result>(
        _ bytes: UnsafeRawBufferPointer,
        by unpack: (
            UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
        ) -> UnsafeMutablePointer<Message>?,
        _ body: (UnsafePointer<Message>) throws(WireError) -> Result
    ) throws(WireError) -> Result {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        for capacity in [stackBytes, limit(reading: bytes.count)] {
            let attempt: Attempt<Result>? = with(bytes: capacity) { arena in
                var allocator = allocator(over: arena)
                guard let message = unpack(&allocator, bytes.count, start) else {
                    return arena.pointee.overflowed ? .full : .malformed
                }
                do throws(WireError) {
                    return .read(try body(UnsafePointer(message)))
                } catch {
                    return .refused(error)
                }
            }
            switch attempt {
            case .read(let result): return result
            case .refused(let error): throw error
            case .malformed: throw .malformed("the envelope does not parse")
            case .full, nil: continue
            }
        }
        throw .tooLarge(limitBytes: limit(reading: bytes.count))
    }

    private enum Attempt<Result> {
        case read(Result)
        case refused(WireError)
        case malformed
        case full
    }
}
