import Metrics
import Synchronization
import TollgateKernel
package import TollgateWire

/// What a client counts.
///
/// Labels are methods of the contract, codes and kinds: all of them few.
package final class ClientMeters: Sendable {
    /// Why a call was sent once more.
    package enum Kind: String, Sendable {
        /// The attempt before failed.
        case retry
        /// The attempt before had not answered yet.
        case hedge
        /// The server before did not begin it.
        case move
    }

    /// One method's meters for calls that went well: made once, for they are looked up by name.
    private struct Method {
        let succeeded: Counter
        let duration: Metrics.Timer

        init(_ method: MethodDescriptor) {
            succeeded = Counter(
                label: "tollgate_client_calls_total",
                dimensions: [("method", method.fullName), ("code", "ok")])
            duration = Metrics.Timer(
                label: "tollgate_client_call_seconds", dimensions: [("method", method.fullName)])
        }
    }

    private struct Methods {
        private var named: [String: Method] = [:]
        /// The methods that were asked for lately, each at a place that its facts' own gives it:
        /// to look a name up cost each call more than to count it.
        private var recent: [(facts: MethodDescriptor, meters: Method)?] =
            Array(repeating: nil, count: Limits.clientRecentMethods)

        mutating func meters(of method: MethodDescriptor) -> Method {
            // Objects lie sixteen bytes apart at least.
            let number = UInt(bitPattern: ObjectIdentifier(method)) >> 4
            let place = number % UInt(Limits.clientRecentMethods)
            if let known = recent[Int(place)], known.facts === method { return known.meters }
            let meters = named[method.fullName] ?? Method(method)
            named[method.fullName] = meters
            recent[Int(place)] = (method, meters)
            return meters
        }
    }

    private let methods: Mutex<Methods> = Mutex(Methods())

    /// Makes a client's meters.
    package init() {}

    /// Counts a further attempt.
    package static func again(_ method: MethodDescriptor, _ kind: Kind) {
        Counter(
            label: "tollgate_client_further_attempts_total",
            dimensions: [("method", method.fullName), ("kind", kind.rawValue)]
        ).increment()
    }

    /// Counts a call that ended, whatever it took.
    package func ended(_ method: MethodDescriptor, code: String, after duration: Duration) {
        let meters = methods.withLock { $0.meters(of: method) }
        if code == "ok" {
            meters.succeeded.increment()
        } else {
            Counter(
                label: "tollgate_client_calls_total",
                dimensions: [("method", method.fullName), ("code", code)]
            ).increment()
        }
        let (seconds, attoseconds) = duration.components
        meters.duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
