import Application
import Foundation
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
}
