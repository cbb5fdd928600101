import Application
import Synchronization
import Testing
import TollgateKernel
import Weixin

@testable import Storage

@Suite struct FaultTests {
    /// Plants a fault in the n-th COMMIT of the store's life.
    private func fault(_ kind: CommitFault.Kind, at commit: Int64) -> CommitFault {
        CommitFault(kind: { $0 == commit ? kind : nil })
    }

    @Test func aCommitThatKeptNothingIsToldAsSuch() async throws {
        try await withStore(commitFault: fault(.beforeCommit, at: 2)) { store, _ in
            try await store.write { tx in try tx.pushes.insert(push("before")) }
            let ending = await Ending {
                try await store.write { tx in
                    try tx.pushes.insert(push("lost"))
                }
            }
            #expect(ending == .failure(.unavailable))
            #expect(try await !store.hasPush("lost"))
            #expect(store.health == .writable)
            try await store.write { tx in try tx.pushes.insert(push("lost")) }
            #expect(try await store.hasPush("before"))
            #expect(try await store.hasPush("lost"))
        }
    }

    @Test func aCommitWhoseAnswerWasLostIsFoundByItsNumber() async throws {
        try await withStore(commitFault: fault(.afterCommit, at: 1)) { store, _ in
            try await store.inOneBatch(3) { index in
                let ending = await Ending {
                    let write = try await store.begin { tx in
                        try tx.pushes.insert(push("\(index)"))
                        if index == 1 { throw Failure(.conflict, "told all the same") }
                        return index
                    }
                    #expect(try await write.durable() == index)
                }
                #expect(ending == (index == 1 ? .failure(.conflict) : .value))
            }
            #expect(try await store.hasPush("0"))
            #expect(try await store.hasPush("2"))
            #expect(try await !store.hasPush("1"))
        }
    }

    @Test func appliedIsNoPromiseWhenTheCommitFails() async throws {
        try await withStore(commitFault: fault(.beforeCommit, at: 1)) { store, _ in
            let write = try await store.begin { tx in
                try tx.pushes.insert(push("applied"))
                return 1
            }
            let ending = await Ending { try await write.durable() }
            #expect(ending == .failure(.unavailable))
            #expect(try await !store.hasPush("applied"))
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func anUnreachableDiskLeavesTheOutcomeUnknown() async throws {
        let isGone = Mutex(false)
        let fault = CommitFault(
            kind: { commit in
                guard commit == 1 else { return nil }
                isGone.withLock { $0 = true }
                return .afterCommit
            }, refusesReopening: { isGone.withLock { $0 } })
        try await withStore(commitFault: fault) { store, _ in
            let unknown = await Ending {
                try await store.write { tx in
                    try tx.pushes.insert(push("unknown"))
                }
            }
            #expect(unknown == .failure(.unknownOutcome))
            #expect(store.health == .failing("reopening"))
            let refused = await Ending { try await store.write { _ in } }
            #expect(refused == .failure(.unavailable))
            isGone.withLock { $0 = false }
            try await store.write { tx in try tx.pushes.insert(push("later")) }
            #expect(store.health == .writable)
            #expect(try await store.hasPush("later"))
            #expect(try await store.hasPush("unknown"))
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func afterAFailedCommitNothingIsWrittenUntilTheLogWasEmptied() async throws {
        try await withStore(commitFault: fault(.afterCommit, at: 2)) { store, _ in
            try await store.write { tx in try tx.pushes.insert(push("before")) }
            let reader = Gate()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await store.read { tx in
                        // Its snapshot keeps the log from being emptied.
                        _ = try tx.pushes.receivedPush(key: "before")
                        reader.hold()
                    }
                }
                try await reader.waitUntilHeld()
                let unknown = await Ending {
                    try await store.write { tx in try tx.pushes.insert(push("doubtful")) }
                }
                #expect(unknown == .failure(.unknownOutcome))
                let refused = await Ending {
                    try await store.write { tx in try tx.pushes.insert(push("refused")) }
                }
                #expect(refused == .failure(.unavailable))
                #expect(store.health != .writable)
                reader.open()
                try await group.waitForAll()
            }
            try await store.write { tx in try tx.pushes.insert(push("later")) }
            #expect(store.health == .writable)
            #expect(try await store.hasPush("doubtful"))
            #expect(try await !store.hasPush("refused"))
            #expect(try await store.hasPush("later"))
        }
    }

    @Test func aProcessThatStandsStillInItsBatchIsNotWaitedForForEver() async throws {
        let folder = try TemporaryFolder()
        let places = StoreFolder(path: folder.path)
        let stopped = try FileLock(path: places.writer)
        let turnstile = try Turnstile(folder: places, patienceMilliseconds: 30)
        #expect(stopped.tryLock())
        #expect(throws: StoreError.self) { try turnstile.pass {} }
        stopped.unlock()
        // Neither lock was kept by the attempt that was given up.
        var passes = 0
        for _ in 0..<2 { try turnstile.pass { passes += 1 } }
        #expect(passes == 2)
    }

    @Test func aBatchTheEngineUndidRunsAgainOneByOne() async throws {
        try await withStore { store, _ in
            let runs = Tally()
            try await store.inOneBatch(6) { index in
                let ending = await Ending {
                    try await store.write { tx in
                        runs.add()
                        try tx.pushes.insert(push("\(index)"))
                        // What SQLite itself does after some I/O errors, in the middle of a batch.
                        if index == 3 { try connection(tx).execute("ROLLBACK") }
                    }
                }
                #expect(ending == (index == 3 ? .failure(.unavailable) : .value))
            }
            #expect(runs.value == 4 + 6, "four until the rollback, then each once more")
            for index in 0..<6 { #expect(try await store.hasPush("\(index)") == (index != 3)) }
        }
    }

    @Test func aFullDiskFailsTheWriteThatFillsIt() async throws {
        try await withStore { store, _ in
            try await store.write { tx in
                let pages = try connection(tx).first(SQL("PRAGMA page_count")) { $0.integer(0) }
                try connection(tx).execute("PRAGMA max_page_count = \((pages ?? 0) + 20)")
            }
            try await store.inOneBatch(3) { index in
                let ending = await Ending {
                    try await store.write { tx in
                        let answer = String(repeating: "x", count: index == 1 ? 500_000 : 10)
                        try tx.pushes.insert(
                            ReceivedPush(
                                key: "\(index)", answer: answer, codeAttempt: 0,
                                receivedAt: Timestamp(milliseconds: 1)))
                    }
                }
                if index == 1 { #expect(ending != .value) } else { #expect(ending == .value) }
            }
            #expect(try await store.hasPush("0"))
            #expect(try await store.hasPush("2"))
            #expect(try await !store.hasPush("1"))
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aForeignLockIsWaitedForThenToldAndForgotten() async throws {
        try await withStore { store, folder in
            let foreign = try WriterConnection(path: folder.database)
            try foreign.use { used throws(StoreError) in try used.execute("BEGIN IMMEDIATE") }
            let ending = await Ending {
                try await store.write { tx in try tx.pushes.insert(push("locked out")) }
            }
            #expect(ending == .failure(.unavailable))
            #expect(store.health != .writable)
            try foreign.use { used throws(StoreError) in try used.execute("ROLLBACK") }
            try await store.write { tx in try tx.pushes.insert(push("let in")) }
            #expect(store.health == .writable)
            #expect(try await store.hasPush("let in"))
            #expect(try await !store.hasPush("locked out"))
            foreign.close()
        }
    }
}
