import NIOCore

/// The room that a call takes in its connection, its server and its method, until it leaves.
struct CallAdmission: ~Copyable {
    private let gate: MethodGate
    private let budget: ConnectionBudget
    private let bytes: Int

    /// Takes the room.
    /// - Throws: 2004 if there is none; nothing is taken then.
    init(
        _ gate: MethodGate, _ budget: ConnectionBudget, bytes: Int, priority: CallPriority
    ) throws(RPCError) {
        try budget.enter(bytes)
        do throws(RPCError) {
            try gate.enter(priority)
        } catch {
            budget.leave(bytes)
            throw error
        }
        self.gate = gate
        self.budget = budget
        self.bytes = bytes
    }

    /// Gives the room back; without a latency if the caller gave the call up.
    consuming func leave(latency: TimeAmount?, now: NIODeadline) {
        gate.leave(latency: latency, now: now)
        budget.leave(bytes)
    }
}
