/// The one place that makes tasks for what arrives on a connection.
///
/// Each stands in its connection's table, is cancelled when the caller goes and awaited when the
/// server drains.
enum CallTask {
    /// Runs `body` on the loop's executor, at once and up to its first suspension: a call whose
    /// handler never waits is answered before the next one is read.
    static func start(
        on executor: LoopExecutor, _ body: @escaping @concurrent @Sendable () async -> Void
    ) -> Task<Void, Never> {
        Task.immediate(executorPreference: executor, operation: body)
    }

    /// The same for a unary call whose payload is plain, as nearly all are.
    ///
    /// A closure that is written where the task is made takes up two objects, one that is handed
    /// here five.
    static func start(
        on executor: LoopExecutor, answering call: RunningCall, of connection: ServerConnection
    ) -> Task<Void, Never> {
        Task.immediate(executorPreference: executor) { await connection.runPlain(call) }
    }
}
