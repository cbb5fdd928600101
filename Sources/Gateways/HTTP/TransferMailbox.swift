internal import CCurl
internal import Glibc
internal import Synchronization

/// What callers tell the transfer thread.
enum TransferCommand: Sendable {
    /// Begin.
    case begin(Transfer)
    /// The reader has room again.
    case resume(UInt64)
    /// The rest is not wanted: let it arrive for a short while, for the connection's sake.
    case linger(UInt64)
    /// Close the connection now.
    case remove(UInt64)
}

/// The queue in front of the transfer thread, and the descriptor that wakes it.
final class TransferMailbox: Sendable {
    private struct State {
        var commands: [TransferCommand] = []
        var isStopping = false
        var isStopped = false
        var stopWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Readable when there is something to take.
    let wakeDescriptor: Int32
    private let state = Mutex(State())

    init() throws(TransferFailure) {
        wakeDescriptor = tollgate_curl_wake_descriptor()
        guard wakeDescriptor >= 0 else {
            throw TransferFailure(.shutDown, "No descriptor for the transfer thread")
        }
    }

    deinit { close(wakeDescriptor) }

    /// Queues a command; false if the thread takes no more.
    func post(_ command: TransferCommand) -> Bool {
        let (accepted, wasEmpty) = state.withLock { state in
            guard !state.isStopping else { return (false, false) }
            state.commands.append(command)
            return (true, state.commands.count == 1)
        }
        // The thread takes all at once, so one wake for the first is enough.
        if wasEmpty { wake() }
        return accepted
    }

    /// Asks the thread to end.
    func stop() {
        state.withLock { $0.isStopping = true }
        wake()
    }

    /// Waits until the thread has ended its work.
    func stopped() async {
        await withCheckedContinuation { continuation in
            let done = state.withLock { state in
                guard !state.isStopped else { return true }
                state.stopWaiters.append(continuation)
                return false
            }
            if done { continuation.resume() }
        }
    }

    /// Everything queued, and whether to end; for the thread.
    func take() -> (commands: [TransferCommand], isStopping: Bool) {
        var count: UInt64 = 0
        // Reset before taking: a wake between the two costs one empty turn, never a lost command.
        _ = read(wakeDescriptor, &count, MemoryLayout<UInt64>.size)
        return state.withLock { state in
            let commands = state.commands
            state.commands.removeAll(keepingCapacity: true)
            return (commands, state.isStopping)
        }
    }

    /// Says that the thread has ended its work.
    func markStopped() {
        let waiters = state.withLock { state in
            state.isStopped = true
            let waiters = state.stopWaiters
            state.stopWaiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
    }
}
