import Application
import Synchronization
import TestSupport
import Testing
import TollgateKernel

@Suite struct OpenedKeysTests {
    private let vault = Vault(
        masterKey: [UInt8](repeating: 3, count: 32), random: SystemRandom())

    @Test func `A new key is used at once, and an old one never for other bytes`() throws {
        let keys = OpenedKeys(vault)
        let old = try vault.seal("old", label: "channel:a")
        let new = try vault.seal("new", label: "channel:a")
        #expect(try keys.key(ofChannel: "a", sealed: old) == "old")
        #expect(try keys.key(ofChannel: "a", sealed: old) == "old")
        #expect(try keys.key(ofChannel: "a", sealed: new) == "new")
        #expect(try keys.key(ofChannel: "a", sealed: old) == "old")
    }

    @Test func `What does not open is refused, though another key of the channel is known`() throws
    {
        let keys = OpenedKeys(vault)
        let sealed = try vault.seal("right", label: "channel:a")
        #expect(try keys.key(ofChannel: "a", sealed: sealed) == "right")
        #expect(throws: SealedElsewhere.self) { try keys.key(ofChannel: "b", sealed: sealed) }
        var damaged = sealed
        damaged[20] ^= 1
        #expect(throws: SealedElsewhere.self) { try keys.key(ofChannel: "a", sealed: damaged) }
        #expect(try keys.key(ofChannel: "a", sealed: sealed) == "right")
    }

    @Test func `After a rotation both keys open, and only the present one seals`() throws {
        let rotated = Vault(
            masterKey: [UInt8](repeating: 4, count: 32),
            previousKey: [UInt8](repeating: 3, count: 32), random: SystemRandom())
        let old = try vault.seal("secret", label: "channel:a")
        #expect(try rotated.open(old, label: "channel:a") == "secret")
        let new = try #require(try rotated.resealed(old, label: "channel:a"))
        #expect(new != old)
        #expect(try rotated.open(new, label: "channel:a") == "secret")
        #expect(try rotated.resealed(new, label: "channel:a") == nil)
        #expect(throws: SealedElsewhere.self) { try vault.open(new, label: "channel:a") }
        #expect(throws: SealedElsewhere.self) { try rotated.open(old, label: "channel:b") }
        #expect(throws: SealedElsewhere.self) { try rotated.resealed(old, label: "channel:b") }
        #expect(throws: SealedElsewhere.self) { try rotated.open([1, 2, 3], label: "channel:a") }
    }

    private static func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    @Test func `A vault that runs takes a rotated key, and asks for it seldom`() throws {
        let folder = Mutex((keys: MasterKeys(present: Self.key(3)), reads: 0))
        let clock = TestMonotonicClock()
        let running = Vault(
            masterKey: Self.key(3), random: SystemRandom(),
            source: {
                folder.withLock { folder in
                    folder.reads += 1
                    return folder.keys
                }
            }, monotonic: clock)
        let rotated = Vault(
            masterKey: Self.key(4), previousKey: Self.key(3), random: SystemRandom())
        let old = try vault.seal("old", label: "channel:a")
        let new = try rotated.seal("new", label: "channel:a")
        // What opens asks nobody, and what does not is asked for once in its time.
        #expect(try running.open(old, label: "channel:a") == "old")
        #expect(folder.withLock { $0.reads } == 0)
        for _ in 0..<5 {
            #expect(throws: SealedElsewhere.self) { try running.open(new, label: "channel:a") }
        }
        #expect(folder.withLock { $0.reads } == 1)
        folder.withLock {
            $0.keys = MasterKeys(present: Self.key(4), previous: Self.key(3))
        }
        clock.advance(by: .milliseconds(Limits.masterKeyRereadMilliseconds - 1))
        #expect(throws: SealedElsewhere.self) { try running.open(new, label: "channel:a") }
        clock.advance(by: .milliseconds(1))
        #expect(try running.open(new, label: "channel:a") == "new")
        #expect(folder.withLock { $0.reads } == 2)
        #expect(try running.open(old, label: "channel:a") == "old")
        #expect(folder.withLock { $0.reads } == 2)
    }

    @Test func `A vault that runs seals under the rotated key at once`() throws {
        let folder = Mutex<MasterKeys?>(MasterKeys(present: Self.key(3)))
        let running = Vault(
            masterKey: Self.key(3), random: SystemRandom(),
            source: { folder.withLock { $0 } }, monotonic: TestMonotonicClock())
        _ = try running.seal("early", label: "channel:a")
        folder.withLock { $0 = MasterKeys(present: Self.key(4), previous: Self.key(3)) }
        let sealed = try running.seal("late", label: "channel:a")
        let present = Vault(masterKey: Self.key(4), random: SystemRandom())
        #expect(try present.open(sealed, label: "channel:a") == "late")
        // A folder that cannot be read changes nothing.
        folder.withLock { $0 = nil }
        let again = try running.seal("later", label: "channel:a")
        #expect(try present.open(again, label: "channel:a") == "later")
    }

    @Test func `More channels than are remembered are served all the same`() throws {
        let keys = OpenedKeys(vault)
        for number in 0...(Limits.openedKeys + 1) {
            let channel = "c\(number)"
            let sealed = try vault.seal(channel, label: "channel:\(channel)")
            #expect(try keys.key(ofChannel: channel, sealed: sealed) == channel)
        }
    }
}
