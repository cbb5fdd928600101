import Synchronization
import TollgateKernel

/// A clock that stands still.
struct FixedClock: WallClock {
    var moment: Timestamp

    func now() -> Timestamp { moment }
}

/// A clock that a test moves.
final class MovableClock: WallClock {
    private let seconds = Mutex<Int64>(1_767_225_600)

    func now() -> Timestamp { Timestamp(seconds: seconds.withLock { $0 }) }

    func advance(seconds: Int64) { self.seconds.withLock { $0 += seconds } }
}
