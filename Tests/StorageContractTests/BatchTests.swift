import Application
import Synchronization
import Testing
import TollgateKernel
import Weixin

@testable import Storage

@Suite struct BatchTests {
    private func counting(_ commits: Tally) -> CommitFault {
        CommitFault(kind: { _ in
            commits.add()
            return nil
        })
    }

    @Test func writesThatArriveTogetherShareOneCommit() async throws {
        let commits = Tally()
        try await withStore(commitFault: counting(commits)) { store, _ in
            try await store.inOneBatch(100) { index in
                _ = await Ending {
                    try await store.write { tx in
                        try tx.pushes.insert(push("\(index)"))
                    }
                }
            }
            #expect(commits.value == 1, "they joined the batch that the gate was in")
            for index in 0..<100 { #expect(try await store.hasPush("\(index)")) }
        }
    }

    @Test(arguments: [(Limits.writesInOneBatch - 1, 1), (Limits.writesInOneBatch, 2)])
    func aBatchHasItsBound(count: Int, batches: Int) async throws {
        let commits = Tally()
        try await withStore(commitFault: counting(commits)) { store, _ in
            // The gate is one more.
            try await store.inOneBatch(count) { index in
                _ = await Ending {
                    try await store.write { tx in
                        try tx.pushes.insert(push("\(index)"))
                    }
                }
            }
            #expect(commits.value == batches)
        }
    }

    @Test func oneFailingClosureLeavesItsBatchAlone() async throws {
        let commits = Tally()
        try await withStore(commitFault: counting(commits)) { store, _ in
            let endings = Mutex<[Int: Ending]>([:])
            try await store.inOneBatch(9) { index in
                let ending = await Ending {
                    try await store.write { tx in
                        try tx.pushes.insert(push("\(index)"))
                        if index == 4 { throw Failure(.conflict, "not this one") }
                        if index == 6 { try tx.pushes.insert(push("\(index)")) }
                    }
                }
                endings.withLock { $0[index] = ending }
            }
            #expect(commits.value == 1)
            for index in 0..<9 {
                let ending = endings.withLock { $0[index] }
                let isThere = try await store.hasPush("\(index)")
                switch index {
                case 4: #expect(ending == .failure(.conflict) && !isThere)
                case 6:
                    #expect(
                        ending
                            == .store(
                                "constraint: UNIQUE constraint failed: received_pushes.push_key"))
                    #expect(!isThere)
                default: #expect(ending == .value && isThere)
                }
            }
        }
    }

    @Test func appliedComesBeforeDurable() async throws {
        let gate = Gate()
        let fault = CommitFault(kind: { _ in
            gate.hold()
            return nil
        })
        try await withStore(commitFault: fault) { store, _ in
            let write = try await store.begin { tx in
                try tx.pushes.insert(push("early"))
                return 7
            }
            #expect(write.value == 7)
            // The COMMIT waits: nobody sees the row yet.
            #expect(try await !store.hasPush("early"))
            gate.open()
            #expect(try await write.durable() == 7)
            #expect(try await store.hasPush("early"))
            #expect(try await write.durable() == 7, "asked twice, told twice")
        }
    }

    @Test func nothingIsAppliedThatANeighbourMayUndo() async throws {
        let commits = Tally()
        try await withStore(commitFault: counting(commits)) { store, _ in
            for round in 1...3 {
                let runs = Tally()
                let failures = Tally()
                try await store.inOneBatch(2) { index in
                    if index == 0 {
                        let value = try? await store.begin { tx in
                            try tx.pushes.insert(push("\(round)"))
                            runs.add()
                            return runs.value
                        }.value
                        #expect(value == runs.value, "the last run's value")
                    } else {
                        let ending = await Ending {
                            try await store.write { tx in
                                try tx.pushes.insert(push("failing \(round)"))
                                throw Failure(.conflict, "not this one")
                            }
                        }
                        #expect(ending == .failure(.conflict))
                        failures.add()
                    }
                }
                // The first time all ran twice; after that the writer is careful for a while.
                #expect(runs.value == (round == 1 ? 2 : 1))
                #expect(failures.value == 1)
                #expect(try await store.hasPush("\(round)"))
                #expect(try await !store.hasPush("failing \(round)"))
            }
            // Nothing joins a batch that sets its closures apart: the gate's is another one.
            #expect(commits.value == 1 + 2 + 2)
        }
    }

    @Test func aClosureThatFailsBeforeItChangesAnythingDisturbsNobody() async throws {
        try await withStore { store, _ in
            let runs = Tally()
            try await store.inOneBatch(3) { index in
                let ending = await Ending {
                    try await store.write { tx in
                        runs.add()
                        if index == 1 { throw Failure(.conflict, "not this one") }
                        try tx.pushes.insert(push("\(index)"))
                    }
                }
                #expect(ending == (index == 1 ? .failure(.conflict) : .value))
            }
            #expect(runs.value == 3)
        }
    }

    @Test func thrownErrorsLeaveAfterTheCommitOnly() async throws {
        let told = Tally()
        let toldBeforeCommit = Mutex<[Int]>([])
        let fault = CommitFault(kind: { _ in
            toldBeforeCommit.withLock { $0.append(told.value) }
            return nil
        })
        try await withStore(commitFault: fault) { store, _ in
            try await store.inOneBatch(3) { index in
                let ending: Ending
                switch index {
                case 0:
                    ending = await Ending {
                        try await store.write { _ in
                            throw Failure(.quotaExhausted, "none")
                        }
                    }
                case 1:
                    ending = await Ending {
                        _ = try await store.begin { _ in
                            throw Failure(.quotaExhausted, "none")
                        }
                    }
                default:
                    // Time for the two before to leave, if something let them.
                    ending = await Ending {
                        try await store.write { _ in
                            pause(milliseconds: 50)
                        }
                    }
                }
                if index < 2 { #expect(ending == .failure(.quotaExhausted)) }
                told.add()
            }
            #expect(told.value == 3)
            #expect(toldBeforeCommit.withLock { $0 } == [0])
        }
    }

    @Test func aCancelledCallerDoesNotBreakItsBatch() async throws {
        try await withStore { store, _ in
            let gate = Gate()
            let blocker = Task { try await store.write { _ in gate.hold() } }
            try await gate.waitUntilHeld()
            let cancelled = Task {
                try await store.write { tx in
                    try tx.pushes.insert(push("kept"))
                }
            }
            let neighbour = Task {
                try await store.write { tx in
                    try tx.pushes.insert(push("neighbour"))
                }
            }
            #expect(try await eventually { store.backlog == 2 })
            cancelled.cancel()
            gate.open()
            try await blocker.value
            try await cancelled.value
            try await neighbour.value
            #expect(try await store.hasPush("kept"))
            #expect(try await store.hasPush("neighbour"))
        }
    }

    @Test func aFullQueueRefusesAtOnce() async throws {
        try await withStore { store, _ in
            let gate = Gate()
            let ran = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store.write { _ in gate.hold() } }
                try await gate.waitUntilHeld()
                for _ in 0..<Limits.pendingWrites {
                    group.addTask { try await store.write { _ in ran.add() } }
                }
                #expect(try await eventually { store.backlog == Limits.pendingWrites })
                let ending = await Ending { try await store.write { _ in ran.add() } }
                #expect(ending == .failure(.unavailable))
                gate.open()
                try await group.waitForAll()
            }
            #expect(ran.value == Limits.pendingWrites)
        }
    }

    @Test func closingSettlesWhatWaits() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        let gate = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.write { _ in gate.hold() } }
            try await gate.waitUntilHeld()
            for index in 0..<2 {
                group.addTask {
                    try await store.write { tx in try tx.pushes.insert(push("\(index)")) }
                }
            }
            #expect(try await eventually { store.backlog == 2 })
            group.addTask { await store.close() }
            // Until the closing has begun, a write still gets in, and is settled like the others.
            let isClosing = Task {
                try await eventually {
                    await Ending { _ = try await store.begin { _ in } } == .failure(.unavailable)
                }
            }
            gate.open()
            try await group.waitForAll()
            #expect(try await isClosing.value)
        }
        #expect(await Ending { _ = try await store.hasPush("0") } == .failure(.unavailable))
        let again = try await folder.open()
        #expect(try await again.hasPush("0"))
        #expect(try await again.hasPush("1"))
        await again.close()
    }
}
