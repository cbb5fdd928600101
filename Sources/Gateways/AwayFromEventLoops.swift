/// Runs work of more than some 50 µs on Swift's global threads, whatever executor the caller
/// prefers: an RSA signature on an event loop would hold up every other call there.
func awayFromEventLoops<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withTaskExecutorPreference(globalConcurrentExecutor) {
        try await runConcurrently(work)
    }
}

@concurrent
private func runConcurrently<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try work()
}
