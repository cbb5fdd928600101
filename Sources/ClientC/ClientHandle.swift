import Dispatch
import Synchronization
import TollgateClient

/// What stands behind a `tollgate_client`.
final class ClientHandle: Sendable {
    let client: TollgateClient
    /// Cancels what is on no connection when the client is closed: a call between two attempts.
    let ending = Canceller()
    private let watching: Task<Void, Never>
    private let calls = Mutex(Calls())
    private let hasNoCalls = DispatchSemaphore(value: 0)

    private struct Calls {
        var running = 0
        var isClosing = false
    }

    init(addresses: String, credential: String?, tls: TollgateClientTLS? = nil) throws {
        let client = try TollgateClient(
            .init(address: addresses, credential: credential, tls: tls))
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
            // What is on the wire ends by this, and says so.
            await client.close()
            ending.cancel()
            watching.cancel()
            await watching.value
        }
        if mustWait { hasNoCalls.wait() }
    }
}

extension CallFailure {
    /// The call came when its client was at its end.
    static var closed: CallFailure { CallFailure(code: "cancelled", "The client was closed.") }
}
