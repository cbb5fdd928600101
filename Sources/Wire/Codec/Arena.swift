internal import CProtobufC
internal import Glibc

/// Memory that is handed out by moving a cursor and given back all at once.
///
/// Each thread has one and reuses it: a message costs no malloc. Uses nest like a stack
/// (``mark(limitBytes:)``, ``release(_:)``), because a caller may read one message while the bytes
/// of another are lent to it. Every block is preceded by its size, so that the length of a string
/// that protobuf-c copied is known although a NUL may stand in its middle.
struct Arena {
    /// The arena's mutable part; a raw pointer, because protobuf-c carries it through C.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        /// The next free address: always 4 past a multiple of 8, so that blocks are aligned to 8.
        var cursor: UnsafeMutableRawPointer
        var end: UnsafeMutableRawPointer
        /// The newest chunk; its first words are ``Chunk``.
        var chunk: UnsafeMutableRawPointer
        var chunkBytes: Int
        /// Bytes taken since the outermost mark, ends of left chunks included.
        var usedBytes: Int
        var limitBytes: Int
        var isRefusing: Bool
        var lastUsedBytes: Int
        var allocator: ProtobufCAllocator
    }

    /// What stands at the start of each chunk.
    private struct Chunk {
        var previous: UnsafeMutableRawPointer?
        var bytes: Int
    }

    /// A moment to go back to.
    struct Mark {
        fileprivate let cursor: UnsafeMutableRawPointer
        fileprivate let end: UnsafeMutableRawPointer
        fileprivate let chunk: UnsafeMutableRawPointer
        fileprivate let chunkBytes: Int
        fileprivate let usedBytes: Int
        fileprivate let limitBytes: Int
        fileprivate let isRefusing: Bool
    }

    /// The first chunk, kept as long as its thread: most messages fit it.
    static let firstChunkBytes = 64 * 1_024

    /// Chunk header and the offset that keeps the cursor 4 past a multiple of 8.
    private static let chunkHeaderBytes = MemoryLayout<Chunk>.size + 4

    private init(state: UnsafeMutablePointer<State>) { self.state = state }

    private init() {
        let bytes = Self.firstChunkBytes
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
        chunk.storeBytes(of: Chunk(previous: nil, bytes: bytes), as: Chunk.self)
        state = .allocate(capacity: 1)
        let allocator = ProtobufCAllocator(
            alloc: { data, size in Arena(opaque: data)?.allocateOrRefuse(size) },
            free: { _, _ in },
            allocator_data: UnsafeMutableRawPointer(state))
        state.initialize(
            to: State(
                cursor: chunk + Self.chunkHeaderBytes, end: chunk + bytes, chunk: chunk,
                chunkBytes: bytes, usedBytes: 0, limitBytes: .max, isRefusing: false,
                lastUsedBytes: 0, allocator: allocator))
    }

    private init?(opaque: UnsafeMutableRawPointer?) {
        guard let opaque else { return nil }
        state = opaque.assumingMemoryBound(to: State.self)
    }

    /// What protobuf-c allocates through; it returns NULL beyond the limit.
    var allocator: UnsafeMutablePointer<ProtobufCAllocator> {
        UnsafeMutableRawPointer(state)
            .advanced(by: MemoryLayout<State>.offset(of: \.allocator) ?? 0)
            .assumingMemoryBound(to: ProtobufCAllocator.self)
    }

    /// Whether an allocation was refused since the mark.
    var isRefusing: Bool { state.pointee.isRefusing }

    /// Bytes that were in use when the last mark was released; for tests.
    var lastUsedBytes: Int { state.pointee.lastUsedBytes }
}

// MARK: - Stack discipline

extension Arena {
    /// Remembers the present moment and sets the limit of what is allocated from now on.
    func mark(limitBytes: Int) -> Mark {
        let now = state.pointee
        let mark = Mark(
            cursor: now.cursor, end: now.end, chunk: now.chunk, chunkBytes: now.chunkBytes,
            usedBytes: now.usedBytes, limitBytes: now.limitBytes, isRefusing: now.isRefusing)
        state.pointee.usedBytes = 0
        state.pointee.limitBytes = limitBytes
        state.pointee.isRefusing = false
        return mark
    }

    /// Gives back everything allocated since the mark.
    func release(_ mark: Mark) {
        state.pointee.lastUsedBytes = state.pointee.usedBytes
        while state.pointee.chunk != mark.chunk {
            let chunk = state.pointee.chunk
            guard let previous = chunk.load(as: Chunk.self).previous else { break }
            chunk.deallocate()
            state.pointee.chunk = previous
        }
        state.pointee.cursor = mark.cursor
        state.pointee.end = mark.end
        state.pointee.chunkBytes = mark.chunkBytes
        state.pointee.usedBytes = mark.usedBytes
        state.pointee.limitBytes = mark.limitBytes
        state.pointee.isRefusing = mark.isRefusing
    }
}

// MARK: - Allocation

extension Arena {
    /// A block aligned to 8, or nil beyond the limit.
    func allocateOrRefuse(_ size: Int) -> UnsafeMutableRawPointer? {
        // Compared before anything is added to it: a declared size may be anything.
        guard size >= 0, size <= state.pointee.limitBytes - state.pointee.usedBytes,
            size < Int(Int32.max)
        else {
            state.pointee.isRefusing = true
            return nil
        }
        let needed = (size + 4 + 7) & ~7
        if needed > state.pointee.end - state.pointee.cursor {
            guard grow(toHold: needed) else {
                state.pointee.isRefusing = true
                return nil
            }
        } else if needed > state.pointee.limitBytes - state.pointee.usedBytes {
            state.pointee.isRefusing = true
            return nil
        }
        let cursor = state.pointee.cursor
        cursor.storeBytes(of: UInt32(truncatingIfNeeded: size), as: UInt32.self)
        state.pointee.cursor = cursor + needed
        state.pointee.usedBytes += needed
        return cursor + 4
    }

    /// The size that was asked for when the block was allocated.
    static func size(of block: UnsafeRawPointer) -> Int {
        Int((block - 4).load(as: UInt32.self))
    }

    /// Adds a chunk; false if that would pass the limit.
    private func grow(toHold needed: Int) -> Bool {
        let now = state.pointee
        // The rest of the chunk is lost, so it counts: memory never exceeds the limit.
        let used = now.usedBytes + (now.end - now.cursor)
        let smallest = needed + Self.chunkHeaderBytes
        guard smallest <= now.limitBytes - used else { return false }
        // With a limit, all that is left of it at once: no tail is lost, and the system gives real
        // memory only to pages that are touched.
        let bytes =
            now.limitBytes == .max ? max(smallest, now.chunkBytes * 2) : now.limitBytes - used
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
        chunk.storeBytes(of: Chunk(previous: now.chunk, bytes: bytes), as: Chunk.self)
        state.pointee.chunk = chunk
        state.pointee.chunkBytes = bytes
        state.pointee.cursor = chunk + Self.chunkHeaderBytes
        state.pointee.end = chunk + bytes
        state.pointee.usedBytes = used + Self.chunkHeaderBytes
        return true
    }
}

// MARK: - One a thread

extension Arena {
    /// The calling thread's arena, made at first use and freed when the thread ends.
    static var current: Arena {
        if let known = pthread_getspecific(threadKey) {
            return Arena(state: known.assumingMemoryBound(to: State.self))
        }
        let fresh = Arena()
        pthread_setspecific(threadKey, fresh.state)
        return fresh
    }

    private static let threadKey: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { opaque in
            guard let arena = Arena(opaque: opaque) else { return }
            arena.state.pointee.chunk.deallocate()
            arena.state.deinitialize(count: 1)
            arena.state.deallocate()
        }
        // A process may make 1,024 keys; without one there is no arena to work with.
        precondition(status == 0, "the system has no thread-specific key left")
        return key
    }()
}
