import Foundation
import Testing

/// Committed generated code is what the generator makes of the contract today.
@Suite struct GeneratedCodeTests {
    @Test func `generated code is what the contract implies`() throws {
        let script = SourceTree.projectTop + "/Scripts/proto"
        let missing = ["protoc", "protoc-c", "swift"].filter { !isOnPath($0) }
        guard FileManager.default.isExecutableFile(atPath: script), missing.isEmpty else {
            let reason = missing.isEmpty ? "Scripts/proto" : missing.joined(separator: ", ")
            skip("the check of generated code needs \(reason)")
            return
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: script)
        process.arguments = ["--check"]
        process.currentDirectoryURL = URL(fileURLWithPath: SourceTree.projectTop)
        process.standardOutput = output
        process.standardError = output
        var environment = ProcessInfo.processInfo.environment
        environment["TOLLGATE_GENERATOR"] = builtGenerator
        process.environment = environment
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(
            process.terminationStatus == 0,
            "\n\(String(decoding: said.suffix(6_000), as: UTF8.self))")
    }

    /// The generator that was built along with these tests, unless its sources changed since.
    private var builtGenerator: String? {
        let folder = (CommandLine.arguments[0] as NSString).deletingLastPathComponent
        let generator = folder + "/ProtoGenerator"
        guard let built = modified(generator) else { return nil }
        let sources = SourceTree.project.paths.filter {
            $0.hasPrefix("Sources/ProtoGenerator/") || $0.hasPrefix("Sources/CProtocPlugin/")
        }
        let changed = sources.compactMap { modified(SourceTree.projectTop + "/" + $0) }.max()
        return changed.map { $0 < built } == true ? generator : nil
    }

    private func modified(_ path: String) -> Date? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return attributes?[.modificationDate] as? Date
    }

    private func isOnPath(_ tool: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
        }
    }
}

/// Says loudly that something was not judged: a line the gate shows, and a warning on the test.
func skip(_ reason: String) {
    print("SKIPPED: \(reason)")
    Issue.record("SKIPPED: \(reason)", severity: .warning)
}
