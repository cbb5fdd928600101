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
    ///
    /// Nothing here is generic on purpose: callers in other modules would look up metadata at run
    /// time, which was a tenth of an echo's cost.
    static func with(
        bytes count: Int, _ body: (UnsafeMutablePointer<EnvelopeArena>) throws -> Void
    ) rethrows {
        try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { memory in
            guard let base = memory.baseAddress else { return }
            var arena = EnvelopeArena(memory, at: base)
            try withUnsafeMutablePointer(to: &arena, body)
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
    /// Reads one message with protobuf-c's generated `unpack` and lends it.
    ///
    /// The memory is the stack's if the message is small.
    static func withUnpacked<Message>(
        _ bytes: UnsafeRawBufferPointer,
        by unpack: (
            UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?
        ) -> UnsafeMutablePointer<Message>?,
        _ body: (UnsafePointer<Message>) throws(WireError) -> Void
    ) throws(WireError) {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let limit = limit(reading: bytes.count)
        var capacity = stackBytes
        while true {
            var failure: WireError?
            var overflowed = false
            with(bytes: capacity) { arena in
                var allocator = allocator(over: arena)
                guard let message = unpack(&allocator, bytes.count, start) else {
                    overflowed = arena.pointee.overflowed
                    failure =
                        overflowed
                        ? .tooLarge(limitBytes: limit)
                        : .malformed("the envelope does not parse")
                    return
                }
                do throws(WireError) {
                    try body(UnsafePointer(message))
                } catch {
                    failure = error
                }
            }
            guard let failure else { return }
            // What `body` did is done: only the reading is tried again.
            guard overflowed, capacity < limit else { throw failure }
            capacity = limit
        }
    }
}
