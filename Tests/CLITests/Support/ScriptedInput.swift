import CLI
import Synchronization

/// Standard input that a test types.
final class ScriptedInput: LineSource {
    let isTerminal: Bool
    private let state: Mutex<State>

    private struct State {
        var pending: [String?]
        var deliver: (@Sendable (String?) -> Void)?
        var isShown = true
        var wasShownAtStart: Bool?
    }

    /// Whether what is typed is shown at the terminal.
    var isShown: Bool { state.withLock { $0.isShown } }
    /// The same when the first line was asked for; nil if none was.
    var wasShownAtStart: Bool? { state.withLock { $0.wasShownAtStart } }

    func echo(_ isShown: Bool) { state.withLock { $0.isShown = isShown } }

    /// Types these lines, then the end.
    init(_ lines: [String], isTerminal: Bool = false) {
        self.isTerminal = isTerminal
        state = Mutex(State(pending: lines.map(Optional.some) + [nil]))
    }

    /// A terminal at which nothing is typed yet.
    init() {
        isTerminal = true
        state = Mutex(State(pending: []))
    }

    /// Types one line, or the end.
    func type(_ line: String?) {
        let deliver = state.withLock { state in
            if state.deliver == nil { state.pending.append(line) }
            return state.deliver
        }
        deliver?(line)
    }

    func start(_ deliver: @escaping @Sendable (String?) -> Void) {
        let pending = state.withLock { state in
            state.deliver = deliver
            state.wasShownAtStart = state.isShown
            defer { state.pending = [] }
            return state.pending
        }
        for line in pending { deliver(line) }
    }
}
