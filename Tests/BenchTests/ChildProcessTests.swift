import Bench
import Foundation
import Glibc
import Testing

/// Programs that a benchmark starts end with it.
@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    @Test func `a cancelled benchmark waits for its programs to end`() async throws {
        let script = """
            trap 'sleep 0.5; exit 0' TERM
            echo listening here
            while :; do sleep 0.05; done
            """
        let child = try ChildProcess("/bin/sh", ["-c", script])
        _ = try await child.listeningAddress()
        let isLeft = Task {
            while !Task.isCancelled { await Task.yield() }
            await child.stop()
            return kill(child.identifier, 0) == 0
        }
        isLeft.cancel()
        #expect(await isLeft.value == false)
    }
}
