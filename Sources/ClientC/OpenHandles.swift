import Synchronization

/// What C holds of one kind.
///
/// What C takes for a pointer is a number that is never given out again, so that a call which comes
/// after its handle's end is refused, and touches no memory that is another's by then.
final class OpenHandles<Handle: Sendable>: Sendable {
    private struct Table {
        var lastNumber: UInt = 0
        var handles: [UInt: Handle] = [:]
    }

    private let table = Mutex(Table())

    /// Keeps a handle until ``remove(_:)``.
    func add(_ handle: Handle) -> OpaquePointer? {
        let number = table.withLock { table in
            // Spread as addresses are, for whoever keeps marks in the lowest bits.
            table.lastNumber += 16
            table.handles[table.lastNumber] = handle
            return table.lastNumber
        }
        return OpaquePointer(bitPattern: number)
    }

    /// What stands behind C's pointer; nil if it is none, or none any more.
    func find(_ pointer: OpaquePointer?) -> Handle? {
        let number = UInt(bitPattern: pointer)
        return table.withLock { $0.handles[number] }
    }

    /// Takes a handle out; nil if somebody else has.
    func remove(_ pointer: OpaquePointer?) -> Handle? {
        let number = UInt(bitPattern: pointer)
        return table.withLock { $0.handles.removeValue(forKey: number) }
    }
}

/// The handles of the process.
enum Open {
    /// Clients, by `tollgate_client`.
    static let clients = OpenHandles<ClientHandle>()

    /// Cancellers, by `tollgate_canceller`.
    static let cancellers = OpenHandles<Canceller>()
}
