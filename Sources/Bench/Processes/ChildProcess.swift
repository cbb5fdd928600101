import Foundation
import Glibc
import TollgateKernel

/// A program that a benchmark runs beside itself.
package final class ChildProcess: Sendable {
    private let process: Process
    private let name: String
    private let input: Pipe
    private let output: String
    private let ended: AsyncStream<Void>
    private let hasEnded = DispatchGroup()

    /// Starts a program; what it says on standard error goes where ours goes.
    ///
    /// Its standard output is a file, not a pipe: nobody has to read it at the right moment, and no
    /// other child can hold it open.
    /// - Throws: A ``Failure`` that names the program if it cannot be started.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws {
        name = (program as NSString).lastPathComponent
        output =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-bench-output-\(UUID().uuidString)").path
        guard FileManager.default.createFile(atPath: output, contents: nil),
            let file = FileHandle(forWritingAtPath: output)
        else { throw Failure(.unavailable, "\(output) cannot be written.") }
        defer { try? file.close() }
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        input = Pipe()
        process.standardInput = input
        process.standardOutput = file
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        ended = stream
        hasEnded.enter()
        process.terminationHandler = { [hasEnded] _ in
            continuation.finish()
            hasEnded.leave()
        }
        do {
            try process.run()
        } catch {
            hasEnded.leave()
            throw Failure(.unavailable, "\(program) cannot be started: \(error).")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: output) }

    /// The process's number.
    package var identifier: Int32 { process.processIdentifier }

    /// The address in the line “listening HOST:PORT” that servers write when they are ready.
    /// - Throws: A ``Failure`` if the program ends before, or says nothing for too long.
    package func listeningAddress(
        withinMilliseconds patience: Int64 = Limits.benchStartMilliseconds
    ) async throws -> String {
        try await rest(ofLine: "listening ", withinMilliseconds: patience)
    }

    /// What follows a marker in the first line that begins with it, once the program writes it.
    ///
    /// The wait is bounded: a program that ended unnoticed, because one that it started holds what
    /// tells of its end, says nothing more.
    /// - Throws: A ``Failure`` if the program ends before, or says nothing for too long.
    func rest(
        ofLine marker: String, withinMilliseconds patience: Int64 = Limits.benchStartMilliseconds
    ) async throws -> String {
        let end = ContinuousClock.now + .milliseconds(patience)
        while true {
            // Asked before the text is read: what an ended program wrote is all there.
            let isOver = !process.isRunning
            for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            where line.hasPrefix(marker) {
                return String(line.dropFirst(marker.count))
            }
            guard !isOver else {
                throw Failure(.unavailable, "\(name) ended before it said “\(marker)”.")
            }
            guard ContinuousClock.now < end else {
                throw Failure(
                    .unavailable, "\(name) did not say “\(marker)” within \(patience) ms.")
            }
            try await Task.sleep(for: .milliseconds(Limits.benchPollMilliseconds))
        }
    }

    /// All that the program writes, once it has ended.
    /// - Throws: A ``Failure`` if it ends with a code other than 0.
    package func result() async throws -> String {
        await withTaskCancellationHandler {
            for await _ in ended {}
        } onCancel: {
            process.terminate()
        }
        try Task.checkCancellation()
        guard process.terminationStatus == 0 else {
            throw Failure(
                .internalError, "\(name) ended with code \(process.terminationStatus).")
        }
        return text
    }

    /// What the program has written so far.
    private var text: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

    /// Asks it to end, closes its input, and waits; who does not end soon is killed.
    package func stop() async {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
        let killing = DispatchWorkItem { [process] in
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        }
        DispatchQueue.global().asyncAfter(
            deadline: .now() + .milliseconds(Limits.benchStopMilliseconds), execute: killing)
        // Not cut short by a cancelled task: a program that nobody waits for would be left.
        await withCheckedContinuation { continuation in
            hasEnded.notify(queue: .global()) { continuation.resume() }
        }
        killing.cancel()
    }

    /// Runs `body` beside a program, then ends the program.
    package static func running<Value>(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        _ body: (ChildProcess) async throws -> Value
    ) async throws -> Value {
        let child = try ChildProcess(program, arguments, environment: environment)
        do {
            let value = try await body(child)
            await child.stop()
            return value
        } catch {
            await child.stop()
            throw error
        }
    }
}
