import Application
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@Suite struct SettlementsTests {
    @Test func `A step goes on although its caller was cancelled`() async throws {
        let settlements = Settlements()
        async let running: Void = settlements.run()
        let gate = Gate()
        let done = Mutex(false)
        let slot = try settlements.reserve()
        let caller = Task {
            try await slot.settle {
                try await gate.wait()
                #expect(!Task.isCancelled)
                done.withLock { $0 = true }
            }
        }
        caller.cancel()
        gate.open()
        try await caller.value
        #expect(done.withLock { $0 })
        _ = consume slot
        settlements.drain()
        await running
    }

    @Test func `Slots are bounded, given back, and refused while draining`() async throws {
        let settlements = Settlements()
        async let running: Void = settlements.run()
        var slots: [Settlements.Slot] = []
        for _ in 0..<Limits.settlementsUnderWay { slots.append(try settlements.reserve()) }
        #expect(throws: Failure.self) { try settlements.reserve() }
        slots.removeAll()
        #expect(settlements.underWay == 0)
        let last = try settlements.reserve()
        settlements.drain()
        #expect(throws: Failure.self) { try settlements.reserve() }
        // An open slot keeps the group running until its step is done.
        #expect(try await last.settle { 42 } == 42)
        _ = consume last
        await running
    }

    @Test(.timeLimit(.minutes(1)))
    func `A step is done although the group itself was cancelled`() async throws {
        let settlements = Settlements()
        let running = Task { await settlements.run() }
        let slot = try settlements.reserve()
        running.cancel()
        await running.value
        #expect(try await slot.settle { 42 } == 42)
    }
}
