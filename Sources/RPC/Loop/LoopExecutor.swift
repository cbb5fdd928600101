package import NIOCore
import NIOPosix
import Synchronization
import TollgateKernel

/// An end of a connection that gathers what it writes.
protocol Flushing: AnyObject {
    /// Sends what was gathered; on the event loop.
    func flush()

    /// Looks for the peer's next bytes before the loop sleeps, until it is needed for something
    /// else; on the event loop.
    func linger(isNeeded: () -> Bool)
}

/// Runs tasks on one event loop, a batch at a time.
///
/// Work that wakes up on the loop itself costs no lock and no system call; work from other threads
/// costs one wake-up a batch. What a batch wrote is flushed once, at its end.
///
/// `@unchecked Sendable`: `ready`, `isRunning`, `isScheduled`, `unflushed`, `flushing` and
/// `soleReader` are touched on the event loop alone; the rest is immutable or behind a lock.
package final class LoopExecutor: TaskExecutor, @unchecked Sendable {
    /// The loop.
    package let eventLoop: any EventLoop
    private let arrivals: Mutex<[UnownedJob]> = Mutex([])
    private var ready: [UnownedJob] = []
    private var batch: [UnownedJob] = []
    /// When the first batch began after one that left nothing to do.
    private var turnStart: NIODeadline?
    private var isRunning = false
    private var isScheduled = false
    private var unflushed: [any Flushing] = []
    private var flushing: [any Flushing] = []
    private var soleReader = SoleReader()

    /// Makes an executor for a loop; several may share one.
    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Makes an executor for one of the process's shared loops, whose turn it is.
    package convenience init() {
        self.init(eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    /// Takes a job from any thread.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if eventLoop.inEventLoop {
            ready.append(job)
            schedule()
        } else {
            let isFirst = arrivals.withLock { arrivals in
                arrivals.append(job)
                return arrivals.count == 1
            }
            if isFirst { eventLoop.execute { self.run() } }
        }
    }

    /// Has a connection flushed once what runs now is done.
    func flushLater(_ connection: any Flushing) {
        unflushed.append(connection)
        schedule()
    }

    private func schedule() {
        guard !isRunning, !isScheduled else { return }
        isScheduled = true
        let turn = TimeAmount.microseconds(Limits.rpcTurnMicroseconds)
        if let turnStart, .now() - turnStart > turn {
            // The event loop runs what it is given until nothing is left, sockets last: tasks that
            // wake each other for ever must let it go for a moment.
            self.turnStart = nil
            eventLoop.scheduleTask(in: .microseconds(Limits.rpcTurnPauseMicroseconds)) {
                self.runScheduled()
            }
        } else {
            eventLoop.execute { self.runScheduled() }
        }
    }

    private func runScheduled() {
        isScheduled = false
        run()
    }

    private func run() {
        isRunning = true
        swap(&batch, &ready)
        arrivals.withLock { arrivals in
            batch.append(contentsOf: arrivals)
            arrivals.removeAll(keepingCapacity: true)
        }
        let executor = asUnownedTaskExecutor()
        for job in batch { job.runSynchronously(on: executor) }
        batch.removeAll(keepingCapacity: true)
        isRunning = false
        // A connection that has more to send than its socket should have at once comes back here:
        // the others go first.
        swap(&flushing, &unflushed)
        for connection in flushing { connection.flush() }
        let last = flushing.last
        flushing.removeAll(keepingCapacity: true)
        if ready.isEmpty, unflushed.isEmpty {
            turnStart = nil
            if let last { rest(after: last) }
        } else {
            if turnStart == nil { turnStart = .now() }
            schedule()
        }
    }

    // MARK: Resting

    /// Notes that a connection has read; on the event loop.
    func noteRead(_ connection: any Flushing, at now: NIODeadline) {
        soleReader.read(ObjectIdentifier(connection), at: now)
    }

    /// Has a connection look for its peer's next bytes, if the loop has nothing else to do.
    func rest(after connection: any Flushing) {
        guard ready.isEmpty, unflushed.isEmpty,
            soleReader.isAlone(ObjectIdentifier(connection), at: .now())
        else { return }
        connection.linger { arrivals.withLock { !$0.isEmpty } }
    }
}
