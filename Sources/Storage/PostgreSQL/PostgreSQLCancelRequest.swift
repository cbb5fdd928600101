internal import CPostgres
internal import Dispatch
internal import Glibc
internal import Synchronization
internal import TollgateKernel

/// A request to the server to give up what a session is at.
///
/// libpq asks over a connection of its own, which tells no more than the session's number and
/// secret, and waits until the server ends it, without a bound: a server that is stopped, or a
/// proxy that accepts and holds, would keep whoever asks for ever. So a thread of its own asks,
/// and ends when libpq lets it; few of them may be at it at once.
final class PostgreSQLCancelRequest: @unchecked Sendable {
    // Unchecked: `request` is used by the thread alone, and freed with the last reference.
    private let request: OpaquePointer
    private let isOver = DispatchSemaphore(value: 0)

    /// Takes what is needed to reach a session's server, so that the session may be gone meanwhile;
    /// nil if it has none.
    init?(of session: OpaquePointer) {
        guard let request = PQgetCancel(session) else { return nil }
        self.request = request
    }

    deinit { PQfreeCancel(request) }

    /// Requests that are under way in this process.
    private static let underWay = Atomic(0)

    /// Asks, once; whether that came to an end in time, whatever became of it.
    ///
    /// Beyond ``Limits/storeCancelRequests`` under way nothing is asked.
    func send(waitMilliseconds: Int64) -> Bool {
        let others = Self.underWay.wrappingAdd(1, ordering: .relaxed).oldValue
        guard others < Limits.storeCancelRequests else {
            Self.underWay.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        let handedOver = Unmanaged.passRetained(self)
        var thread = pthread_t()
        guard pthread_create(&thread, nil, runCancelRequest, handedOver.toOpaque()) == 0 else {
            handedOver.release()
            Self.underWay.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        pthread_detach(thread)
        let end = DispatchTime.now() + .milliseconds(Int(clamping: waitMilliseconds))
        return isOver.wait(timeout: end) == .success
    }

    fileprivate func run() {
        var reason: [CChar] = Array(repeating: 0, count: 256)
        PQcancel(request, &reason, Int32(reason.count))
        Self.underWay.wrappingSubtract(1, ordering: .relaxed)
        isOver.signal()
    }
}

private func runCancelRequest(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // Signals are for the main thread; a write to a closed socket is an error here, not SIGPIPE.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    Unmanaged<PostgreSQLCancelRequest>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
