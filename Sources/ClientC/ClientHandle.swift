import Dispatch
import Synchronization
import TollgateClient

/// What stands behind a `tollgate_client`.
final class ClientHandle: Sendable {
    let client: TollgateClient
    private let watching: Task<Void, Never>
    private let calls = Mutex(Calls())
    private let hasNoCalls = DispatchSemaphore(value: 0)

    private struct Calls {
        var running = 0
        var isClosing = false
    }

    init(addresses: String, credential: String?) throws {
        let client = try TollgateClient(.init(address: addresses, credential: credential))
        self.client = client
        watching = BlockingCall.start { await client.run() }
    }

    /// Begins a call, which is awaited by ``close()`` until ``endCall()``.
    /// - Throws: ``CallFailure`` once the client is being closed.
    func beginCall() throws {
        let mayBegin = calls.withLock { calls in
            if !calls.isClosing { calls.running += 1 }
            return !calls.isClosing
        }
        if !mayBegin { throw CallFailure.closed }
    }

    /// Ends what ``beginCall()`` began.
    func endCall() {
        let wasLast = calls.withLock { calls in
            calls.running -= 1
            return calls.isClosing && calls.running == 0
        }
        if wasLast { hasNoCalls.signal() }
    }

    /// Refuses new calls, ends those that run with their connections, and waits on this thread
    /// until the last one has returned to its caller.
    func close() {
        let mustWait = calls.withLock { calls in
            calls.isClosing = true
            return calls.running > 0
        }
        BlockingCall.run { [self] in
            await client.close()
            watching.cancel()
            await watching.value
        }
        if mustWait { hasNoCalls.wait() }
    }
}

/// The clients that C holds.
///
/// What C takes for a pointer is a number that is never given out again, so that a call which comes
/// after its client's end is refused, and touches no memory that is another's by then.
enum OpenClients {
    private struct Table {
        var lastNumber: UInt = 0
        var handles: [UInt: ClientHandle] = [:]
    }

    private static let table = Mutex(Table())

    /// Keeps a client until ``remove(_:)``.
    static func add(_ handle: ClientHandle) -> OpaquePointer? {
        let number = table.withLock { table in
            // Spread as addresses are, for whoever keeps marks in the lowest bits.
            table.lastNumber += 16
            table.handles[table.lastNumber] = handle
            return table.lastNumber
        }
        return OpaquePointer(bitPattern: number)
    }

    /// The client behind C's pointer.
    /// - Throws: ``CallFailure`` if there is none, or none any more.
    static func find(_ pointer: OpaquePointer?) throws -> ClientHandle {
        guard let pointer else {
            throw CallFailure(code: "invalid_request", "The client is NULL.")
        }
        let number = UInt(bitPattern: pointer)
        guard let handle = table.withLock({ $0.handles[number] }) else { throw CallFailure.closed }
        return handle
    }

    /// Takes a client out; nil if somebody else has.
    static func remove(_ pointer: OpaquePointer?) -> ClientHandle? {
        let number = UInt(bitPattern: pointer)
        return table.withLock { $0.handles.removeValue(forKey: number) }
    }
}

extension CallFailure {
    /// The call came when its client was at its end.
    static var closed: CallFailure { CallFailure(code: "cancelled", "The client was closed.") }
}
