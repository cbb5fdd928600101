import TollgateKernel

/// A clock that stands still.
struct FixedClock: WallClock {
    var moment: Timestamp

    func now() -> Timestamp { moment }
}
