import NIOCore

/// The room that a call takes in its connection, its server and its method, until it leaves.
struct CallAdmission: ~Copyable {
    private let gate: MethodGate
    private let budget: ConnectionBudget
    private var bytes: Int

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

    /// Takes room for bytes that the call turned out to need.
    /// - Throws: 2004 if there is none; nothing is taken then.
    mutating func grow(_ more: Int) throws(RPCError) {
        try budget.take(more)
        bytes += more
    }

    /// Gives some of the room back.
    mutating func shrink(_ less: Int) {
        budget.giveBack(less)
        bytes -= less
    }

    /// Gives the room back; without a latency if the caller gave the call up.
    consuming func leave(latency: TimeAmount?, now: NIODeadline) {
        gate.leave(latency: latency, now: now)
        budget.leave(bytes)
    }
}
