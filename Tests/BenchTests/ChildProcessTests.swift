import Bench
import Foundation
import Glibc
import Testing
import TollgateKernel

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

    @Test func `a program that never says where it listens is not waited for without end`()
        async throws
    {
        try await ChildProcess.running("/bin/sh", ["-c", "exec sleep 30"]) { child in
            let failure = await #expect(throws: Failure.self) {
                _ = try await child.listeningAddress(withinMilliseconds: 50)
            }
            #expect(failure?.code == .unavailable)
        }
    }
}
