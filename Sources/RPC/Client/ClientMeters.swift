import Metrics
import Synchronization
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

    private let methods: Mutex<[String: Method]> = Mutex([:])

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
        let meters = methods.withLock { methods in
            if let known = methods[method.fullName] { return known }
            let made = Method(method)
            methods[method.fullName] = made
            return made
        }
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
