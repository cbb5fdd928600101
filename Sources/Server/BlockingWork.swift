internal import Dispatch

/// Runs short blocking or heavy work (an RSA check takes some 100 µs) away from the event loops and
/// from the cooperative pool.
package struct BlockingWork: Sendable {
    private let queue: DispatchQueue

    /// Makes a place to work with one thread of its own.
    ///
    /// One is enough for each purpose: notifications come by the dozen a second at most, long
    /// questions by the hundred, and each takes a fraction of a millisecond up to a few.
    package init(label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    /// Does the work and returns what it returned.
    package func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try work() }) }
        }
    }
}
