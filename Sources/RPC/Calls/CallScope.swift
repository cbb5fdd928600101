import TollgateWire

/// What calls that are made now inherit: one value, so that an answered call costs one entry among
/// its task's, however much of it is handed on.
package enum CallScope: Sendable {
    /// A call is being answered.
    case call(ServerCallContext)
    /// Calls are to be done by a moment.
    case deadline(CallDeadline)

    /// The scope of the task that runs now.
    @TaskLocal package static var current: CallScope?

    /// When calls must be answered.
    package var deadline: CallDeadline {
        switch self {
        case .call(let call): call.deadline
        case .deadline(let deadline): deadline
        }
    }

    /// The trace that calls are part of, as it came from outside; nil for none.
    var trace: TraceText? {
        switch self {
        case .call(let call): call.fields.trace
        case .deadline: nil
        }
    }
}
