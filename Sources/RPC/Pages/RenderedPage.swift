import NIOPosix
import Synchronization

/// A page's text, made away from the event loops, once for all who ask meanwhile.
package final class RenderedPage: Sendable {
    private let render: @Sendable () -> String
    private let waiting: Mutex<[CheckedContinuation<String, Never>]> = Mutex([])

    /// Makes a page of what takes its time on a thread.
    package init(_ render: @escaping @Sendable () -> String) { self.render = render }

    /// How many wait for the text, for tests.
    var waitingCount: Int { waiting.withLock { $0.count } }

    /// The text; of a rendering under way, if there is one.
    package func text() async -> String {
        await withCheckedContinuation { continuation in
            let isFirst = waiting.withLock { waiting in
                waiting.append(continuation)
                return waiting.count == 1
            }
            // Nobody's task does it, so that nobody who leaves takes it from the others.
            if isFirst { NIOThreadPool.singleton.submit { [self] _ in tell(render()) } }
        }
    }

    private func tell(_ text: String) {
        let all = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for continuation in all { continuation.resume(returning: text) }
    }
}
