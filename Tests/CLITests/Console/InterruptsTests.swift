import CLI
import Synchronization
import Testing

@Suite("Ctrl-C")
struct InterruptsTests {
    @Test func itCancelsTheBody() async throws {
        let interrupts = Interrupts()
        let wasCancelled = Mutex(false)
        await #expect(throws: Interrupted.self) {
            try await interrupts.interruptible {
                #expect(interrupts.deliver())
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    wasCancelled.withLock { $0 = true }
                    throw error
                }
            }
        }
        #expect(wasCancelled.withLock { $0 })
        #expect(!interrupts.deliver(), "nobody listens any more")
    }

    @Test func aBodyThatEndsIsNotDisturbed() async throws {
        let value = try await Interrupts().interruptible { 7 }
        #expect(value == 7)
    }

    @Test func anErrorOfTheBodyIsItsOwn() async {
        await #expect(throws: OutputClosed.self) {
            try await Interrupts().interruptible { throw OutputClosed() }
        }
    }

    @Test func onlyTheInnermostHears() async throws {
        let interrupts = Interrupts()
        try await interrupts.interruptible {
            await #expect(throws: Interrupted.self) {
                try await interrupts.interruptible {
                    interrupts.deliver()
                    try await Task.sleep(for: .seconds(60))
                }
            }
            try Task.checkCancellation()
        }
    }

    @Test func aBodyThatDoesNotStopLosesTheSecondPressToTheOuter() async {
        let interrupts = Interrupts()
        await #expect(throws: Interrupted.self) {
            try await interrupts.interruptible {
                try await interrupts.interruptible {
                    interrupts.deliver()
                    interrupts.deliver()
                    #expect(!interrupts.deliver(), "both have heard")
                    while !Task.isCancelled { await Task.yield() }
                }
            }
        }
    }

    @Test func aListenerHearsEachPressWhileItListens() async {
        let interrupts = Interrupts()
        let count = Mutex(0)
        await interrupts.listening {
            count.withLock { $0 += 1 }
        } while: {
            interrupts.deliver()
            interrupts.deliver()
        }
        interrupts.deliver()
        #expect(count.withLock { $0 } == 2)
    }
}
