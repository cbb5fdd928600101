/// The one place that makes tasks for what arrives on a connection.
///
/// Each stands in its connection's table, is cancelled when the caller goes and awaited when the
/// server drains.
enum CallTask {
    /// A task that was made here.
    typealias Handle = Task<Void, Never>

    /// Runs `body` on the loop's executor, at once and up to its first suspension: a call whose
    /// handler never waits is answered before the next one is read.
    static func start(
        on executor: LoopExecutor, _ body: @escaping @concurrent @Sendable () async -> Void
    ) -> Handle {
        Task.immediate(executorPreference: executor, operation: body)
    }

    /// The same for a call, in its scope.
    static func start(
        on executor: LoopExecutor, for call: RunningCall,
        _ body: @escaping @concurrent @Sendable () async -> Void
    ) -> Handle {
        CallScope.$current.withValue(.call(call.context)) { start(on: executor, body) }
    }

    /// The same for a unary call whose payload is plain, as nearly all are.
    ///
    /// A closure that is written where the task is made takes up two objects, one that is handed
    /// here five. The scope is bound before the task is there, which inherits it: to bind it inside
    /// would have the task look for its executor three times more.
    static func start(
        on executor: LoopExecutor, answering call: RunningCall, of connection: ServerConnection
    ) -> Handle {
        CallScope.$current.withValue(.call(call.context)) {
            Task.immediate(executorPreference: executor) { await connection.runPlain(call) }
        }
    }
}
