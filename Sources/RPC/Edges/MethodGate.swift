import NIOCore
import Synchronization
import TollgateKernel
import TollgateWire

/// How many calls of one method run, and whether one more may; safe from any event loop.
final class MethodGate: Sendable {
    private let name: String
    private let maximum: Int
    private let state: Mutex<State>

    private struct State {
        var inFlight = 0
        /// Nil for streams: how long they last is their callers' and providers' business and says
        /// nothing about our load.
        var limiter: GradientLimiter?
    }

    init(_ method: MethodDescriptor, _ limits: ServerLimits, now: NIODeadline = .now()) {
        name = method.fullName
        maximum = limits.callsInFlightPerMethod
        let adaptive = method.streaming == .unary ? limits.adaptive : nil
        state = Mutex(State(limiter: adaptive.map { GradientLimiter($0, now: now) }))
    }

    /// Lets a call begin.
    /// - Throws: 2004 if there is no room for its class.
    func enter(_ priority: CallPriority) throws(RPCError) {
        let refusal: String? = state.withLock { state in
            guard state.inFlight < maximum else { return "method" }
            guard state.limiter?.enter(priority) != false else { return "adaptive" }
            state.inFlight += 1
            return nil
        }
        guard let refusal else { return }
        ServerEdge.refused(refusal)
        throw .overLimit("Too many calls of \(name) run")
    }

    /// Takes in a call's end; without a latency if its caller gave it up before its deadline.
    func leave(latency: TimeAmount?, now: NIODeadline) {
        state.withLock { state in
            state.inFlight -= 1
            state.limiter?.leave(latency: latency, now: now)
        }
    }

    /// How many calls may run by what their latency says; nil if it is not followed.
    var adaptiveLimit: Int? { state.withLock { $0.limiter?.limit } }

    /// How many calls run.
    var inFlight: Int { state.withLock { $0.inFlight } }
}
