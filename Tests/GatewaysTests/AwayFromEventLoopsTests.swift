import Dispatch
import Testing

@testable import Gateways

struct AwayFromEventLoopsTests {
    /// Runs its tasks on one queue, as a connection's executor runs them on one event loop.
    private final class QueueExecutor: TaskExecutor {
        static let mark = DispatchSpecificKey<Bool>()
        let queue = DispatchQueue(label: "loop")

        init() { queue.setSpecific(key: Self.mark, value: true) }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }

        static var isCurrent: Bool { DispatchQueue.getSpecific(key: mark) == true }
    }

    @Test
    func `heavy work leaves the executor its caller prefers, and the caller stays there`()
        async throws
    {
        try await withTaskExecutorPreference(QueueExecutor()) {
            #expect(QueueExecutor.isCurrent)
            let workIsOnLoop = try await awayFromEventLoops { QueueExecutor.isCurrent }
            #expect(!workIsOnLoop)
            #expect(QueueExecutor.isCurrent)
        }
    }
}
