import Foundation

/// One role of the program as a process of its own.
final class RoleProcess: Sendable {
    private let process: Process
    private let exited: AsyncStream<Void>

    /// The program that was built beside the tests.
    static let program: URL = {
        let folder =
            Bundle.allBundles
            .map(\.bundleURL).first { $0.pathExtension == "xctest" }?
            .deletingLastPathComponent() ?? Bundle.main.bundleURL
        // The product is called tollgate; a slice of the package builds it under the target's name.
        let names = ["tollgate", "Tollgate"].map { folder.appendingPathComponent($0) }
        return names.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? names[0]
    }()

    /// Starts a role; its output goes to a file in `folder`.
    init(_ arguments: [String], environment: [String: String], folder: String, name: String)
        throws
    {
        process = Process()
        process.executableURL = Self.program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let path = "\(folder)/\(name).log"
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let log = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try log.seekToEnd()
        process.standardOutput = log
        process.standardError = log
        process.standardInput = FileHandle.nullDevice
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        exited = stream
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
    }

    /// The process's number.
    var number: Int32 { process.processIdentifier }

    /// Ends it without a chance to say goodbye.
    func kill9() async {
        kill(process.processIdentifier, SIGKILL)
        await wait()
    }

    /// Asks it to drain and waits.
    func stop() async {
        process.terminate()
        await wait()
    }

    /// Waits for its own end; the exit status.
    func ended() async -> Int32 {
        await wait()
        return process.terminationStatus
    }

    /// Sends what Ctrl-C in its terminal would.
    func interrupt() { process.interrupt() }

    private func wait() async { for await _ in exited {} }
}
