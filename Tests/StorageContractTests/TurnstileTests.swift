import Foundation
import Synchronization
import Testing

@testable import Storage

/// Processes that write one file take turns; two turnstiles of one folder exclude each other as
/// those of two processes do.
@Suite
struct TurnstileTests {
    @Test func `A batch keeps the file for itself, and leaves room for whoever waits`() throws {
        let folder = try TemporaryFolder()
        let places = StoreFolder(path: folder.path)
        let turnstile = try Turnstile(folder: places)
        let writer = try FileLock(path: places.writer)
        let turn = try FileLock(path: places.turn)
        let (mayWrite, mayWait) = try turnstile.pass {
            defer { turn.unlock() }
            return (writer.tryLock(), turn.tryLock())
        }
        #expect(!mayWrite, "nobody else writes meanwhile")
        #expect(mayWait, "the next one may stand at the door")
        #expect(writer.tryLock(), "afterwards the file is free")
    }

    @Test func `Two that write at once never overlap, and both come to an end`() async throws {
        let folder = try TemporaryFolder()
        let places = StoreFolder(path: folder.path)
        let overlap = Overlap()
        let turns = 40
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<2 {
                group.addTask {
                    let turnstile = try Turnstile(folder: places)
                    try await withCheckedThrowingContinuation { continuation in
                        Thread.detachNewThread {
                            continuation.resume(
                                with: Result {
                                    for _ in 0..<turns {
                                        try turnstile.pass {
                                            overlap.enter()
                                            usleep(UInt32(200 + writer * 100))
                                            overlap.leave()
                                        }
                                    }
                                })
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(overlap.most == 1)
    }
}

/// How many were at one place at once.
private final class Overlap: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    func enter() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }

    func leave() { counts.withLock { $0.now -= 1 } }

    var most: Int { counts.withLock { $0.most } }
}
