import Foundation
import TollgateKernel

/// The programs that we are measured beside, as `Benchmarks/peers/build` leaves them.
package struct Peers: Sendable {
    /// The folder of the built programs.
    package var folder: String

    /// Names the folder.
    package init(folder: String) { self.folder = folder }

    /// What every peer writes as its last line.
    package struct Outcome: Sendable, Codable {
        var count: Double
        var seconds: Double
        var cpuSeconds: Double
        var p50Microseconds: Double
        var p99Microseconds: Double
        var commitMicroseconds: Double
        var version: String

        /// The figures under their names.
        var figures: [String: Double] {
            var figures = [
                Figure.count: count, Figure.seconds: seconds,
                Figure.perSecond: seconds > 0 ? count / seconds : 0,
                Figure.p50: p50Microseconds, Figure.p99: p99Microseconds,
                Figure.clientCPU: count > 0 ? cpuSeconds / count * 1e6 : 0,
            ]
            if commitMicroseconds > 0 { figures[Figure.commit] = commitMicroseconds / 1_000 }
            return figures
        }
    }

    /// Where a program is.
    /// - Throws: A ``Failure`` that says how to build it if it is not there.
    package func path(_ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw Failure(
                .unavailable,
                "\(path) is missing; build it with Benchmarks/peers/build \(folder).")
        }
        return path
    }

    /// Whether a program is there: those of other systems need packages that not everybody has.
    package func has(_ name: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)")
    }

    /// Runs a peer to its end and reads its figures.
    func run(_ name: String, _ arguments: [String]) async throws -> Outcome {
        try Outcome(lastLineOf: await ChildProcess(try path(name), arguments).result())
    }
}

extension Peers.Outcome {
    /// Reads the last line of what a program wrote.
    /// - Throws: A ``Failure`` if there are no figures in it.
    init(lastLineOf text: String) throws {
        guard let line = text.split(whereSeparator: \.isNewline).last,
            let outcome = try? JSONDecoder().decode(Self.self, from: Data(line.utf8))
        else { throw Failure(.internalError, "A program told no figures: “\(text.suffix(200))”.") }
        self = outcome
    }
}
