import Dispatch
import NIOCore
import NIOPosix

/// Every thread that does long work for event loops, kept busy until it is let go.
struct BusyThreads {
    private let gate = DispatchSemaphore(value: 0)
    private let count = 2 * NIOSingletons.blockingPoolThreadCountSuggestion

    init() {
        for _ in 0..<count { NIOThreadPool.singleton.submit { [gate] _ in gate.wait() } }
    }

    func letGo() { for _ in 0..<count { gate.signal() } }
}
