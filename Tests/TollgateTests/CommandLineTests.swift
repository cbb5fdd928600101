import Application
import Foundation
import Sandbox
import Storage
import Testing
import TollgateKernel

@testable import Tollgate

/// What a person is told who mistypes something, by the program itself.
struct CommandLineTests {
    private struct Told {
        var status: Int32
        var text: String
        var milliseconds: Int64
    }

    private static func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-line-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    private func run(_ arguments: [String], in folder: String) async throws -> Told {
        let clock = SystemMonotonicClock()
        let started = clock.elapsed()
        let process = try RoleProcess(
            arguments, environment: ["HOME": folder], folder: folder, name: "told")
        let status = await process.ended()
        let text = try String(contentsOfFile: "\(folder)/told.log", encoding: .utf8)
        return Told(
            status: status, text: text,
            milliseconds: Int64((clock.elapsed() - started) / .milliseconds(1)))
    }

    @Test(arguments: [
        ["jobs", "list"], ["jobs", "run", "outbox"], ["jobs", "run", "outbox", "--dry-run"],
        ["jobs", "history"], ["admin", "reseal"], ["admin", "rotate-master-key"],
        ["admin", "verify"], ["admin", "backup", "--to", "/nosuchfolder/x.sqlite"],
        ["bench", "load", "--record", "/nosuchfolder/x.tsv"],
    ])
    func `a mistyped data folder is told at once, and not made`(words: [String]) async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let data = "\(folder)/mistyped"
        let told = try await run(words + ["--data", data], in: folder)
        #expect(told.status == 10, "\(told.text)")
        #expect(
            told.text == "error: There is no data folder \(data); name the server's with --data.\n")
        #expect(!FileManager.default.fileExists(atPath: data))
        // Neither a store nor a server is waited for.
        #expect(told.milliseconds < Limits.dataFolderWaitMilliseconds)
    }

    @Test func `a folder that no server has used is told, and stays as it is`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let data = "\(folder)/empty"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let told = try await run(["jobs", "list", "--data", data], in: folder)
        #expect(told.status == 10)
        #expect(told.text.contains("No server has used the data folder \(data) yet"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: data).isEmpty)
    }

    @Test func `the history of a job that is none is not found`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let data = "\(folder)/data"
        let settings = try await Settings(folder: DataFolder(path: data), flags: [:])
        _ = try settings.folder.credential(.web)
        let backend = try await Backend.open(settings, role: .serve)
        await backend.close()
        let unknown = try await run(["jobs", "history", "nope", "--data", data], in: folder)
        #expect(unknown.status == 10)
        #expect(unknown.text.contains("There is no job nope; known are hold-expire, "))
        let known = try await run(["jobs", "history", "outbox", "--data", data], in: folder)
        #expect(known.status == 0)
        #expect(known.text.hasSuffix("outbox has not run yet.\n"))
    }

    @Test(arguments: [
        (["audit", "--transfers", "5"], "--transfers takes 1,000 to 20,000,000."),
        (["turnstile", "--jobs-callers", "0"], "--jobs-callers takes 1 to 1,000."),
        (["attachments", "--callers", "65"], "--callers takes 1 to 64."),
        (["connections", "--connections", "1"], "--connections takes 2 to "),
        (["stream", "--streams", "0"], "--streams takes 1 to "),
        (["rpc", "--rounds", "0"], "--rounds takes 1 to 101."),
        (["rpc", "--seconds", "0"], "--seconds takes more than 0 and at most 60."),
        (
            ["load", "--record", "x", "--seconds", "3601"],
            "--seconds takes more than 0 and at most 3,600."
        ),
    ])
    func `what a benchmark takes is said by its option`(words: [String], sentence: String)
        async throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let told = try await run(["bench"] + words, in: folder)
        #expect(told.status == 2)
        #expect(told.text.hasPrefix("error: \(sentence)"), "\(told.text)")
    }

    @Test(arguments: [
        (#"{"order":{"lifetimeSeconds":"86400"}}"#, "order.lifetimeSeconds is a whole number"),
        (#"{"order":{"lifetimeSeconds":"-1"}}"#, "order.lifetimeSeconds is a whole number"),
        (#"{"trial":{"callsPerDay":"1e9"}}"#, "trial.callsPerDay is a whole number"),
        (
            #"{"realm":"live","weixin":{"appID":"wx1"},"wechatPay":{"apiV3Key":"short"}}"#,
            "wechatPay.apiV3Key has 32 characters, not 5."
        ),
        (
            #"{"realm":"live","weixin":{"appID":"wx1"},"wechatPay":{"#
                + #""apiV3Key":"0123456789abcdef0123456789abcdef","notifyURL":"http://x"}}"#,
            "wechatPay.notifyURL begins with https://"
        ),
    ])
    func `a setting that could never work keeps the server from starting`(
        settings: String, sentence: String
    ) async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let data = "\(folder)/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try Data(settings.utf8).write(to: URL(fileURLWithPath: "\(data)/tollgate.json"))
        let told = try await run(["serve", "--listen", "127.0.0.1:0", "--data", data], in: folder)
        #expect(told.status == 2)
        #expect(told.text.contains("The setting \(sentence)"), "\(told.text)")
        #expect(!FileManager.default.fileExists(atPath: "\(data)/store.sqlite"))
    }

    @Test(arguments: [
        (["help", "bogus"], "There is no command 'bogus'.\nSee all of them: tollgate --help\n"),
        (["help", "quoat"], "There is no command 'quoat'.\nDid you mean 'quota'?\n"),
        (["help", "jobs", "lst"], "There is no command 'lst'.\nDid you mean 'list'?\n"),
    ])
    func `help for what is no command is refused`(words: [String], sentence: String) async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let told = try await run(words, in: folder)
        #expect(told.status == 2)
        #expect(told.text == "error: \(sentence)")
    }

    @Test(arguments: [
        (["orders", "--limit", "-1"], "--limit takes 1 to 100."),
        (["ledger", "--before=-1"], "--before takes a sequence number."),
        (["jobs", "history", "--limit", "-1"], "--limit takes 1 to 200."),
        (["chat", "--max-tokens", "-1", "hi"], "--max-tokens takes 1 or more."),
        (["quota", "--timeout", "-5"], "--timeout takes 1 to 86400 seconds."),
        (
            ["sandbox", "channel", "a", "--fail", "9999"],
            "--fail takes an HTTP status of 400 to 599."
        ),
        (["sandbox", "channel", "a", "--stall-after", "-1"], "--stall-after takes 0 or more."),
    ])
    func `a number out of its range is told with the range`(words: [String], sentence: String)
        async throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let told = try await run(words, in: folder)
        #expect(told.status == 2)
        #expect(told.text.hasPrefix("error: \(sentence)\n"), "\(told.text)")
    }

    @Test func `a role whose pages cannot be had is never ready`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let data = "\(folder)/data"
        let settings = try await Settings(folder: DataFolder(path: data), flags: [:])
        await (try Backend.open(settings, role: .serve)).close()
        let taken = try TakenPort()
        defer { taken.close() }
        let address = "127.0.0.1:\(taken.port)"
        let told = try await run(
            ["jobs", "serve", "--data", data, "--listen", address], in: folder)
        #expect(told.status == 9)
        #expect(
            told.text.hasSuffix("error: \(address) is in use; choose another with --listen.\n"))
        #expect(!told.text.contains("ready"))
    }

    @Test(arguments: ["words", "empty", "folder", "damaged"])
    func `what is no store is neither verified nor restored, and leaves nothing`(kind: String)
        async throws
    {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (file, data) = ("\(folder)/file", "\(folder)/data")
        var told = "\(file) is not a Tollgate store."
        switch kind {
        case "folder":
            try FileManager.default.createDirectory(
                atPath: file, withIntermediateDirectories: true)
        case "damaged":
            let made = try await Settings(folder: DataFolder(path: "\(folder)/other"), flags: [:])
            await (try Backend.open(made, role: .serve)).close()
            let bytes = try Data(contentsOf: URL(fileURLWithPath: made.folder.storePath))
            try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: file))
            told = "\(file) is damaged: a part of it cannot be read."
        default:
            let text = kind == "empty" ? "" : String(repeating: "words ", count: 1_000)
            try text.write(toFile: file, atomically: true, encoding: .utf8)
        }
        for words in [["verify", file], ["restore", file, "--data", data]] {
            let outcome = try await run(["admin"] + words, in: folder)
            #expect(outcome.status == 9)
            #expect(outcome.text.hasSuffix("error: \(told)\n"), "\(outcome.text)")
        }
        #expect(!FileManager.default.fileExists(atPath: data))
    }

    @Test func `a sandbox that is not there is told with what to do`() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let told = try await run(
            ["sandbox", "follow", "ann", "--sandbox", "127.0.0.1:1"], in: folder)
        #expect(told.status == 9)
        #expect(
            told.text == """
                error: There is no sandbox at http://127.0.0.1:1.
                Start one with: tollgate up; or say with --sandbox where it listens.

                """)
    }

    @Test func `an official account without its web role is told, and is a failure`() async throws {
        let loop = try RunningLoop()
        try loop.start("sandbox")
        _ = try await loop.eventually { try await loop.sandbox.phones() }
        let words = ["sandbox", "follow", "ann"]
        #expect(try await loop.command(words, name: "told").ended() == 9)
        let lines = loop.output("told").split(separator: "\n")
        #expect(
            lines.first?.hasPrefix(
                "error: The official account's server did not answer as it should: nobody listens "
                    + "on 127.0.0.1:") == true)
        #expect(lines.last?.contains("Start it with: tollgate web") == true)
        #expect(try await loop.command(words + ["--json"], name: "json").ended() == 9)
        let json = loop.output("json").split(separator: "\n")
        #expect(json.first?.hasPrefix(#"{"attempts":3,"fault":"nobody listens on "#) == true)
        #expect(json.last?.hasPrefix(#"{"error":{"code":"unavailable""#) == true)
        await loop.end()
    }
}
