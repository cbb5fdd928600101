import Foundation

/// Runs the built plugin through protoc.
enum Protoc {
    /// What a run said and wrote.
    struct Outcome {
        var status: Int32
        var errors: String
        /// The generated files by path below the output folder.
        var files: [String: String]
    }

    /// The folder of this package, found from this file.
    static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The plugin, built into the folder of the test bundle.
    static var plugin: URL {
        let bundle =
            CommandLine.arguments.first { $0.hasSuffix(".xctest") }
            ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent()
            .appendingPathComponent("ProtoGenerator")
    }

    /// Generates for sample files.
    static func generate(_ files: [String], parameter: String? = nil) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-generator-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "protoc", "-I", package.appendingPathComponent("Proto").path, "-I",
                package.appendingPathComponent("Tests/ProtoGeneratorTests/Samples").path,
                "--plugin=protoc-gen-tollgate=\(plugin.path)", "--tollgate_out=\(folder.path)",
            ] + (parameter.map { ["--tollgate_opt=\($0)"] } ?? []) + files
        let errors = folder.appendingPathComponent(".errors")
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus,
            errors: try String(contentsOf: errors, encoding: .utf8), files: try texts(in: folder))
    }

    private static func texts(in folder: URL) throws -> [String: String] {
        var texts: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        where path.hasSuffix(".swift") {
            texts[path] = try String(
                contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
        }
        return texts
    }
}
