import CLI
import Synchronization

/// Remembers what was written; can play a terminal, or a pipe whose reader goes away.
final class CapturedText: TextSink {
    let isTerminal: Bool
    let columns: Int?
    private let limit: Int
    private let state = Mutex("")

    init(isTerminal: Bool = false, columns: Int? = nil, closesAfterWrites limit: Int = .max) {
        self.isTerminal = isTerminal
        self.columns = columns
        self.limit = limit
    }

    private let writes = Mutex(0)

    @discardableResult
    func write(_ text: String) -> Bool {
        let number = writes.withLock { count in
            count += 1
            return count
        }
        guard number <= limit else { return false }
        state.withLock { $0 += text }
        return true
    }

    var text: String { state.withLock { $0 } }
}
