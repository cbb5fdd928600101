import Foundation
import Synchronization
import TollgateKernel

/// A program that a benchmark runs beside itself.
package final class ChildProcess: Sendable {
    private let process: Process
    private let name: String
    private let input: Pipe
    private let output: Output
    private let ended: AsyncStream<Void>

    /// What the program has written so far; its readers wait for more.
    private final class Output: Sendable {
        private let state = Mutex(State())

        private struct State {
            var text = ""
            var isOver = false
            var waiters: [CheckedContinuation<Void, Never>] = []
        }

        func take(_ data: Data) {
            let waiters = state.withLock { state in
                if data.isEmpty { state.isOver = true }
                // What a benchmark's program says is a few lines; more is none of ours.
                if state.text.utf8.count < Limits.benchOutputBytes {
                    state.text += String(decoding: data, as: UTF8.self)
                }
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }

        /// The text as soon as `isEnough` says so, or all of it once there is no more.
        func text(_ isEnough: @Sendable (String) -> Bool) async -> String {
            while true {
                let seen = state.withLock { $0 }
                if seen.isOver || isEnough(seen.text) { return seen.text }
                await withCheckedContinuation { continuation in
                    let mayGoOn = state.withLock { state in
                        if state.isOver || isEnough(state.text) { return true }
                        state.waiters.append(continuation)
                        return false
                    }
                    if mayGoOn { continuation.resume() }
                }
            }
        }
    }

    /// Starts a program; what it says on standard error goes where ours goes.
    /// - Throws: A ``Failure`` that names the program if it cannot be started.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws {
        name = (program as NSString).lastPathComponent
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        input = Pipe()
        process.standardInput = input
        let pipe = Pipe()
        process.standardOutput = pipe
        let output = Output()
        self.output = output
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            output.take(data)
            if data.isEmpty { handle.readabilityHandler = nil }
        }
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        ended = stream
        process.terminationHandler = { _ in continuation.finish() }
        do {
            try process.run()
        } catch {
            throw Failure(.unavailable, "\(program) cannot be started: \(error).")
        }
    }

    /// The process's number.
    package var identifier: Int32 { process.processIdentifier }

    /// The address in the line “listening HOST:PORT” that servers write when they are ready.
    /// - Throws: A ``Failure`` if the program ends before.
    package func listeningAddress() async throws -> String {
        let marker = "listening "
        let text = await output.text { text in
            text.contains { $0.isNewline } && text.contains(marker)
        }
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(marker) {
            return String(line.dropFirst(marker.count))
        }
        throw Failure(.unavailable, "\(name) ended before it listened.")
    }

    /// All that the program writes, once it has ended.
    /// - Throws: A ``Failure`` if it ends with a code other than 0.
    package func result() async throws -> String {
        let text = await withTaskCancellationHandler {
            let text = await output.text { _ in false }
            for await _ in ended {}
            return text
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

    /// Asks it to end, closes its input, and waits.
    package func stop() async {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.terminate() }
        for await _ in ended {}
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
