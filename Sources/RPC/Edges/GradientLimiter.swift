package import NIOCore
import TollgateKernel

/// How many calls may run at once, by what their latency says about a queue behind them.
///
/// A value without a clock: time comes in with each event. Latency is averaged over windows. The
/// lowest average of an era is taken for the latency without a queue; while a window's average is
/// within the tolerance of it, the limit grows by its square root, and beyond that it shrinks in
/// proportion. After an era in which calls were refused or late, two windows have a quarter of the
/// limit, and the second of them measures the latency afresh: what got slower for good is not taken
/// for overload for ever, and an overload that was there from the first call does not stay the
/// measure. A quarter, because a measure at a part that is no smaller than one in the tolerance
/// would confirm any queue.
///
/// The lowest priority is refused first: each class fills its own part of the limit and no more.
package struct GradientLimiter: Sendable {
    /// The limiter's constants.
    package struct Settings: Hashable, Sendable {
        /// The limit never falls below this.
        package var minimum = Limits.rpcAdaptiveMinimum
        /// Where the limit begins.
        package var initial = Limits.rpcAdaptiveInitial
        /// The limit never grows above this.
        package var maximum = Limits.rpcAdaptiveMaximum
        /// How long a window lasts at least.
        package var window = TimeAmount.milliseconds(Limits.rpcAdaptiveWindowMilliseconds)
        /// How many calls a window needs.
        package var windowCalls = Limits.rpcAdaptiveWindowCalls
        /// A mean latency below this is no overload.
        package var noise = TimeAmount.milliseconds(Limits.rpcAdaptiveNoiseMilliseconds)
        /// How many times the unloaded latency is no overload, in percent.
        package var tolerancePercent = Limits.rpcAdaptiveTolerancePercent
        /// Windows of an era.
        package var windowsPerEra = Limits.rpcAdaptiveWindowsPerEra
        /// Windows of an era after whose beginning the measure was found wrong, the first included.
        package var windowsPerShortEra = Limits.rpcAdaptiveWindowsPerShortEra

        /// The usual constants.
        package init() {}
    }

    /// What a window says about.
    private enum Phase {
        /// The limit follows the latency.
        case following(windowsLeft: Int)
        /// The queue of the last era runs empty.
        case emptying
        /// The latency without a queue is measured.
        case measuring
    }

    private struct Window {
        var start: NIODeadline
        var calls = 0
        var nanoseconds: Int64 = 0
        var mostInFlight = 0
        var wasFull = false
    }

    private let settings: Settings
    private var phase: Phase
    private var isEraTroubled = false
    private var window: Window
    private var baseline: Double?
    private var exactLimit: Double

    /// How many calls run.
    package private(set) var inFlight = 0

    /// Makes a limiter; `now` begins its first window.
    package init(_ settings: Settings = Settings(), now: NIODeadline) {
        self.settings = settings
        exactLimit = Double(settings.initial)
        phase = .following(windowsLeft: settings.windowsPerShortEra)
        window = Window(start: now)
    }

    /// How many calls may run at once.
    package var limit: Int {
        switch phase {
        case .following: Int(exactLimit)
        case .emptying, .measuring: max(settings.minimum, Int(exactLimit) / 4)
        }
    }

    /// Lets a call begin, or says that there is no room for its class.
    package mutating func enter(_ priority: CallPriority) -> Bool {
        guard inFlight < max(1, limit * priority.sharePercent / 100) else {
            window.wasFull = true
            return false
        }
        inFlight += 1
        window.mostInFlight = max(window.mostInFlight, inFlight)
        return true
    }

    /// Takes in a call's end.
    ///
    /// A call that its caller gave up has no latency that says anything.
    package mutating func leave(latency: TimeAmount?, now: NIODeadline) {
        inFlight -= 1
        if let latency {
            window.calls += 1
            window.nanoseconds += latency.nanoseconds
        }
        guard window.calls >= settings.windowCalls, now - window.start >= settings.window else {
            return
        }
        close(mean: Double(window.nanoseconds) / Double(window.calls))
        window = Window(start: now, mostInFlight: inFlight)
    }

    private mutating func close(mean: Double) {
        switch phase {
        case .emptying:
            phase = .measuring
        case .measuring:
            // Twice the old one at most: one bad window does not make every latency good.
            let old = baseline ?? mean
            baseline = min(mean, 2 * old)
            let wasWrong = mean < old * 0.7
            phase = .following(
                windowsLeft: wasWrong ? settings.windowsPerShortEra : settings.windowsPerEra)
        case .following(let windowsLeft):
            let measure = min(baseline ?? mean, mean)
            baseline = measure
            follow(mean: mean, baseline: measure)
            guard windowsLeft <= 1 else {
                phase = .following(windowsLeft: windowsLeft - 1)
                return
            }
            phase =
                isEraTroubled ? .emptying : .following(windowsLeft: settings.windowsPerEra)
            isEraTroubled = false
        }
    }

    private mutating func follow(mean: Double, baseline: Double) {
        let measure = max(baseline, Double(settings.noise.nanoseconds))
        let gradient = Double(settings.tolerancePercent) / 100 * measure / mean
        let bounded = min(1, max(0.5, gradient))
        let isUsed = window.wasFull || Double(window.mostInFlight) >= exactLimit / 2
        if bounded < 1 || window.wasFull { isEraTroubled = true }
        // What nobody asks for need not grow, and would be a promise that nobody has tested.
        guard bounded < 1 || isUsed else { return }
        let wanted = exactLimit * bounded + exactLimit.squareRoot()
        // Half way each time: a single window does not swing the limit.
        exactLimit += (wanted - exactLimit) / 2
        exactLimit = min(Double(settings.maximum), max(Double(settings.minimum), exactLimit))
    }
}

extension CallPriority {
    /// The part of a limit that calls of this class may fill, in percent.
    fileprivate var sharePercent: Int {
        switch self {
        case .background: Limits.rpcBackgroundSharePercent
        case .normal: 100
        case .critical: Limits.rpcCriticalSharePercent
        }
    }
}
