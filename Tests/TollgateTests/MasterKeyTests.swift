import Application
import Foundation
import Sandbox
import Testing
import TollgateKernel

@testable import Tollgate

/// The master key's rotation: in the folder, and over real processes.
@Suite(.serialized) struct MasterKeyTests {
    private func folder() throws -> DataFolder {
        try DataFolder(
            path: FileManager.default.temporaryDirectory
                .appendingPathComponent("tollgate-keys-\(UUID().uuidString)").path)
    }

    private func mode(_ path: String) throws -> Int {
        let facts = try FileManager.default.attributesOfItem(atPath: path)
        return (facts[.posixPermissions] as? Int) ?? 0
    }

    @Test func `A rotation keeps the key before, and a second one waits until it is put away`()
        throws
    {
        let folder = try folder()
        #expect(throws: Failure.self) { try folder.rotateMasterKey() }
        let first = try folder.key("master")
        #expect(try folder.previousMasterKey() == nil)
        try folder.rotateMasterKey()
        let second = try folder.key("master")
        #expect(second != first)
        #expect(try folder.previousMasterKey() == first)
        for name in ["master", "master.previous"] {
            #expect(try mode("\(folder.path)/keys/\(name)") == 0o600)
        }
        let refused = #expect(throws: Failure.self) { try folder.rotateMasterKey() }
        #expect(refused?.code == .conflict)
        #expect(try folder.key("master") == second)
        try FileManager.default.removeItem(atPath: "\(folder.path)/keys/master.previous")
        try folder.rotateMasterKey()
        #expect(try folder.previousMasterKey() == second)
    }

    @Test func `The keys are read as they lie there, and none is made by that`() throws {
        let folder = try folder()
        #expect(folder.masterKeys() == nil)
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/keys/master"))
        let first = try folder.key("master")
        #expect(folder.masterKeys() == MasterKeys(present: first))
        try folder.rotateMasterKey()
        #expect(
            folder.masterKeys() == MasterKeys(present: try folder.key("master"), previous: first))
        try Data("no key".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/keys/master"))
        #expect(folder.masterKeys() == nil)
    }

    /// Where a rotation can have been cut off: what is in the folder beside the key.
    @Test(arguments: [["master.new"], ["master.new", "master.previous"]])
    func `A rotation that was cut off goes on, and no key is lost`(left: [String]) throws {
        let folder = try folder()
        let first = try folder.key("master")
        let fresh = String(repeating: "ab", count: 32)
        try Data(fresh.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/keys/master.new"))
        if left.contains("master.previous") {
            try FileManager.default.copyItem(
                atPath: "\(folder.path)/keys/master",
                toPath: "\(folder.path)/keys/master.previous")
        }
        // Until then the folder is what it was.
        #expect(try folder.key("master") == first)
        try folder.rotateMasterKey()
        #expect(try folder.key("master") == [UInt8](repeating: 0xab, count: 32))
        #expect(try folder.previousMasterKey() == first)
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/keys/master.new"))
    }

    @Test func `Another key before is never written over`() throws {
        let folder = try folder()
        _ = try folder.key("master")
        let stranger = String(repeating: "cd", count: 32)
        for name in ["master.new", "master.previous"] {
            try Data(stranger.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/keys/\(name)"))
        }
        let refused = #expect(throws: Failure.self) { try folder.rotateMasterKey() }
        #expect(refused?.code == .conflict)
        #expect(try folder.previousMasterKey() == [UInt8](repeating: 0xcd, count: 32))
    }

    @Test(.timeLimit(.minutes(3)))
    func `A person's own key works through a rotation, and after the key before is gone`()
        async throws
    {
        let loop = try RunningLoop()
        do {
            for name in ["sandbox", "serve", "web"] { try loop.start(name) }
            try await play(loop)
        } catch {
            Issue.record("serve: \(loop.log("serve"))")
            await loop.end()
            throw error
        }
        await loop.end()
    }

    /// Runs a command to its end; fails the test unless it ends so.
    private func run(
        _ arguments: [String], _ loop: RunningLoop, name: String, status: Int32 = 0
    ) async throws -> String {
        let ended = await (try loop.command(arguments, name: name)).ended()
        let output = loop.output(name)
        #expect(ended == status, "\(arguments): \(output)")
        return output
    }

    /// A chat, as soon as the server is there.
    private func chat(_ loop: RunningLoop, name: String) async throws {
        _ = try await loop.eventually {
            let number = UUID().uuidString
            let ended = await (try loop.command(["ping"], name: "ping-\(number)")).ended()
            return ended == 0 ? true : nil
        }
        let answer = try await run(["chat", "--json", "hello"], loop, name: name)
        #expect(answer.contains("own_key"), "\(answer)")
    }

    private func play(_ loop: RunningLoop) async throws {
        _ = try await loop.eventually { try await loop.sandbox.follow(phone: "ann") }
        let code = try await loop.eventually { () -> String? in
            let reply = try await loop.sandbox.send("login", phone: "ann").reply ?? ""
            return reply.firstMatch(of: /[0-9A-Z]{4}-[0-9A-Z]{4}/).map { String($0.output) }
        }
        _ = try await run(["login", code], loop, name: "login")
        let keys = "\(loop.folder)/data/keys"
        // What the sandbox's provider takes for its channel is a key a person may have there.
        let sandbox = try JSONDecoder().decode(
            SandboxKeys.self, from: Data(contentsOf: URL(fileURLWithPath: "\(keys)/sandbox.json")))
        let own = try #require(sandbox.tollgate.modelKeys["a"])
        let file = "\(loop.folder)/own.key"
        #expect(
            FileManager.default.createFile(
                atPath: file, contents: Data(own.utf8), attributes: [.posixPermissions: 0o600]))
        _ = try await run(
            ["provider-keys", "bind", "sandbox-a", "--from", file], loop, name: "bind")
        try await chat(loop, name: "before")

        _ = try await run(["admin", "rotate-master-key"], loop, name: "rotate")
        _ = try await run(["admin", "rotate-master-key"], loop, name: "twice", status: 6)
        try await chat(loop, name: "rotated")

        let report = try await run(["admin", "reseal", "--json"], loop, name: "reseal")
        #expect(report.contains(#""unreadable":0"#), "\(report)")
        #expect(!report.contains(#""resealed":0,"#), "\(report)")
        // The rotation that was refused is no act.
        let log = try await run(["admin", "log", "--json"], loop, name: "log")
        #expect(log.split(separator: "master_key_rotated").count == 2, "\(log)")
        #expect(log.split(separator: "keys_resealed").count == 2, "\(log)")
        // The server still runs that began with the key before; what it opens is sealed anew.
        try await chat(loop, name: "resealed")
        try FileManager.default.removeItem(atPath: "\(keys)/master.previous")
        _ = try await run(
            ["provider-keys", "bind", "sandbox-a", "--from", file], loop, name: "bind-again")
        await loop.kill9("serve")
        try loop.start("serve")
        try await chat(loop, name: "after")
        // A restart between a rotation and the sealing anew opens under the key before.
        _ = try await run(["admin", "rotate-master-key"], loop, name: "rotate-again")
        await loop.kill9("serve")
        try loop.start("serve")
        try await chat(loop, name: "between")
        #expect(!loop.output("serve").contains(own), "logs hold no key")
    }
}
