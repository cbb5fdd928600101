import Foundation
import Testing

/// The Python packages that judge what we speak, in an environment of their own.
enum Judges {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = root.appendingPathComponent(".build/third-party-venv")

    /// Whether exactly the pinned packages are installed; says loudly if not.
    static let areInstalled: Bool = {
        let wanted = root.appendingPathComponent("Tests/ThirdPartyTests/requirements.txt")
        let installed = folder.appendingPathComponent("installed-requirements.txt")
        if let wanted = try? Data(contentsOf: wanted),
            let installed = try? Data(contentsOf: installed), wanted == installed
        {
            return true
        }
        let line = "SKIPPED: third-party judges are not installed; run Scripts/third-party-venv\n"
        FileHandle.standardError.write(Data(line.utf8))
        return false
    }()

    /// A script failed.
    struct ScriptFailure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs a script of the `Python` folder and decodes what it writes.
    static func run<Answer: Decodable & Sendable>(
        _ script: String, _ arguments: [String] = [], input: Data = Data(), as type: Answer.Type
    ) async throws -> Answer {
        let process = Process()
        process.executableURL = folder.appendingPathComponent("bin/python")
        process.arguments = [
            root.appendingPathComponent("Tests/ThirdPartyTests/Python/\(script)").path
        ]
        process.arguments? += arguments
        process.environment = ["NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""]
        // Files rather than pipes: nobody has to read one end while the other one fills.
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-judge-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let names = ["input", "output", "errors"].map { scratch.appendingPathComponent($0) }
        for name in names { try (name == names[0] ? input : Data()).write(to: name) }
        process.standardInput = try FileHandle(forReadingFrom: names[0])
        process.standardOutput = try FileHandle(forWritingTo: names[1])
        process.standardError = try FileHandle(forWritingTo: names[2])
        let status = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try process.run()
            } catch {
                process.terminationHandler = nil
                continuation.resume(throwing: error)
            }
        }
        guard status == 0 else {
            let errors = String(decoding: try Data(contentsOf: names[2]), as: UTF8.self)
            throw ScriptFailure(description: "\(script) ended with \(status): \(errors)")
        }
        return try JSONDecoder().decode(Answer.self, from: try Data(contentsOf: names[1]))
    }
}
