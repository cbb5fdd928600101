import NIOCore
import NIOPosix
import Synchronization
import TollgateKernel

/// The addresses of a client's servers: names are resolved when the first call needs them, and
/// again now and then; what was known serves meanwhile.
final class ServerDirectory: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Void, RPCError>, Never>

    private struct State {
        /// Nil until every name was asked for once.
        var addresses: [ServerAddress]?
        /// Whether the balancer has heard of them: before, no call may ask it for one.
        var areTold = false
        /// Why none is known, once every name was asked for.
        var failure: RPCError?
        var isResolving = false
        var isClosed = false
        var notBefore = NIODeadline.uptimeNanoseconds(0)
        var waiters: [UInt64: (waiter: Waiter, timer: Scheduled<Void>)] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let targets: [ServerAddress]
    private let resolver: any AddressResolver
    private let eventLoop: any EventLoop
    private let changed: @Sendable ([ServerAddress]) -> Void
    private let state = Mutex(State())

    /// Makes a directory; `changed` is told every list that was found.
    init(
        _ targets: [ServerAddress], resolver: any AddressResolver, eventLoop: any EventLoop,
        changed: @escaping @Sendable ([ServerAddress]) -> Void
    ) {
        self.targets = targets
        self.resolver = resolver
        self.eventLoop = eventLoop
        self.changed = changed
    }

    /// Returns at once if the addresses are known, and has them looked up again if that is due.
    ///
    /// Inlined, as ``ClusterTransport``'s calls are.
    @inline(__always)
    func prepare(until deadline: CallDeadline) async throws(RPCError) {
        let (isKnown, isDue) = state.withLock { state in
            let isDue =
                !state.isResolving && !state.isClosed && NIODeadline.now() >= state.notBefore
            if isDue { state.isResolving = true }
            return (state.areTold, isDue)
        }
        if isDue { resolve() }
        if !isKnown { try await wait(until: deadline).get() }
    }

    /// Nobody could be reached: the names may stand for others by now.
    func invalidate() {
        let soon = NIODeadline.now() + .milliseconds(Limits.clientResolveAgainMilliseconds)
        state.withLock { $0.notBefore = min($0.notBefore, soon) }
    }

    /// Lets nobody wait any longer.
    func close() {
        state.withLock { $0.isClosed = true }
        release(.failure(ClusterTransport.closed))
    }

    /// Calls that wait for an address.
    var waiterCount: Int { state.withLock { $0.waiters.count } }

    // MARK: Waiting

    private static let overcrowded = RPCError(
        code: RPCError.Code.overcrowded, text: "Too many calls wait for an address",
        isNotProcessed: true)

    private func wait(until deadline: CallDeadline) async -> Result<Void, RPCError> {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let cancelled = RPCError(
            code: RPCError.Code.cancelled, text: "The call was cancelled", isNotProcessed: true)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                enlist(number, continuation, deadline)
                if Task.isCancelled { dismiss(number, cancelled) }
            }
        } onCancel: {
            dismiss(number, cancelled)
        }
    }

    private func enlist(_ number: UInt64, _ waiter: Waiter, _ deadline: CallDeadline) {
        let timer = eventLoop.scheduleTask(deadline: deadline.moment) {
            self.dismiss(
                number,
                RPCError(
                    code: RPCError.Code.timedOut,
                    text: "No address was found before the deadline", isNotProcessed: true))
        }
        let early = state.withLock { state -> Result<Void, RPCError>? in
            if state.areTold { return .success(()) }
            if state.isClosed { return .failure(ClusterTransport.closed) }
            guard state.isResolving else {
                return .failure(state.failure ?? Self.unknown(targets.map(\.description)))
            }
            guard state.waiters.count < Limits.rpcPendingCallsPerConnection else {
                return .failure(Self.overcrowded)
            }
            state.waiters[number] = (waiter, timer)
            return nil
        }
        guard let early else { return }
        timer.cancel()
        waiter.resume(returning: early)
    }

    private func dismiss(_ number: UInt64, _ error: RPCError) {
        guard let (waiter, timer) = state.withLock({ $0.waiters.removeValue(forKey: number) })
        else { return }
        timer.cancel()
        waiter.resume(returning: .failure(error))
    }

    private func release(_ result: Result<Void, RPCError>) {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            return state.waiters
        }
        for (waiter, timer) in waiters.values {
            timer.cancel()
            waiter.resume(returning: result)
        }
    }

    private static func unknown(_ names: [String]) -> RPCError {
        RPCError(
            code: RPCError.Code.connectionRefused,
            text: "No address is known for \(names.joined(separator: ", "))",
            isNotProcessed: true)
    }

    // MARK: Resolving

    private func resolve() {
        let futures = targets.map { resolver.resolve($0, on: eventLoop) }
        EventLoopFuture.whenAllComplete(futures, on: eventLoop).whenSuccess { self.resolved($0) }
    }

    private func resolved(_ results: [Result<[ServerAddress], any Error>]) {
        var found: [ServerAddress] = []
        var unknown: [String] = []
        for (target, result) in zip(targets, results) {
            switch result {
            case .success(let addresses): found += addresses
            case .failure(let error): unknown.append("\(target) (\(error))")
            }
        }
        let isComplete = unknown.isEmpty
        let pause =
            isComplete ? Limits.clientResolveMilliseconds : Limits.clientResolveAgainMilliseconds
        let list = state.withLock { state -> [ServerAddress]? in
            // Half to all of the pause: clients that started together ask apart.
            state.notBefore = .now() + .milliseconds(Int64.random(in: pause / 2...pause))
            // A name that cannot be looked up now keeps what it stood for.
            guard !found.isEmpty, isComplete || state.addresses == nil else { return nil }
            state.addresses = Array(found.prefix(Limits.clientAddresses))
            return state.addresses
        }
        if let list { changed(list) }
        let failure = state.withLock { state in
            state.isResolving = false
            state.areTold = state.addresses != nil
            state.failure = state.addresses == nil ? Self.unknown(unknown) : nil
            return state.failure
        }
        release(failure.map { .failure($0) } ?? .success(()))
    }
}
