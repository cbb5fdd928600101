/// Runs work that takes too long for an event loop (above 50 µs) on threads of its own.
package protocol HeavyWork: Sendable {
    /// Does the work away from the caller's executor, and returns or throws what it did.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value
}
