import Application
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
        #expect(throws: Failure.self) { try keys.key(ofChannel: "b", sealed: sealed) }
        var damaged = sealed
        damaged[20] ^= 1
        #expect(throws: Failure.self) { try keys.key(ofChannel: "a", sealed: damaged) }
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
        #expect(throws: Failure.self) { try vault.open(new, label: "channel:a") }
        #expect(throws: Failure.self) { try rotated.open(old, label: "channel:b") }
        #expect(throws: Failure.self) { try rotated.resealed(old, label: "channel:b") }
        #expect(throws: Failure.self) { try rotated.open([1, 2, 3], label: "channel:a") }
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
