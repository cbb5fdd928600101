import Synchronization

/// A clock that moves when somebody sleeps.
final class TestClock: Sendable {
    private let milliseconds: Mutex<Int64>
    private let slept: Mutex<[Int64]> = Mutex([])

    init(at milliseconds: Int64) { self.milliseconds = Mutex(milliseconds) }

    var now: Int64 { milliseconds.withLock { $0 } }

    /// Every sleep so far, in milliseconds.
    var sleeps: [Int64] { slept.withLock { $0 } }

    func sleep(_ duration: Int64) async throws {
        await Task.yield()
        try Task.checkCancellation()
        milliseconds.withLock { $0 += duration }
        slept.withLock { $0.append(duration) }
    }
}
