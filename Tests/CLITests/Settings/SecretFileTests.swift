import CLI
import Foundation
import Testing

@Suite("Files that hold a secret")
struct SecretFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    @Test func whatIsWrittenIsReadAndIsTheOwnersAlone() throws {
        try SecretFile.write("first", to: path("a/b/secret"))
        try SecretFile.write("second", to: path("a/b/secret"))
        #expect(try SecretFile.read(path("a/b/secret")) == "second")
        #expect(try folder.mode(of: "a/b/secret") == 0o600)
        let left = try FileManager.default.contentsOfDirectory(atPath: path("a/b"))
        #expect(left == ["secret"])
    }

    @Test func aNameWithoutAFolderIsInThePresentOne() throws {
        let name = "secret-of-a-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: name) }
        try SecretFile.write("here", to: name)
        #expect(try SecretFile.read(name) == "here")
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o660])
    func aFileThatOthersMayReadIsRefused(mode: Int) throws {
        try folder.write("secret", to: "open", mode: mode)
        #expect(throws: SecretFile.Problem.readableByOthers) { try SecretFile.read(path("open")) }
    }

    @Test func whatIsNoShortTextIsRefused() throws {
        try folder.write(" \n", to: "empty")
        try folder.write(String(repeating: "x", count: 5_000), to: "large")
        try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: path("bytes")))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: path("bytes"))
        for name in ["empty", "large", "bytes"] {
            #expect(throws: SecretFile.Problem.unusable) { try SecretFile.read(path(name)) }
        }
    }

    @Test func removingIsDoneWhenTheFileIsGone() throws {
        try SecretFile.write("x", to: path("gone"))
        try SecretFile.remove(path("gone"))
        try SecretFile.remove(path("gone"))
        try SecretFile.remove(path("never/was"))
        #expect(throws: SecretFile.Problem.missing) { try SecretFile.read(path("gone")) }
    }

    @Test func aProblemIsTold() {
        let failure = SecretFile.Problem.readableByOthers.failure(about: "The key", path: "/k")
        #expect(failure.message == "The key can be read by others: /k")
        #expect(failure.advice == "chmod 600 '/k'")
        #expect(failure.status == .unavailable)
    }
}
