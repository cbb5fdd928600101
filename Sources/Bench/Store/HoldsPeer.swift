import Foundation
import TollgateKernel

/// A recording of holds with the store it was made on, and the C program that replays it.
struct HoldsPeer: Sendable {
    let seeded: SeededStore
    let recording: HoldRecording
    /// The recording's file.
    let file: String
    let peers: Peers

    /// Makes a store, records what its holds run, and writes the recording down.
    static func make(
        in folder: String, accounts: Int, holds: Int, peers: Peers
    ) async throws -> HoldsPeer {
        _ = try peers.path("sqlite-holds")
        let seeded = try await seed(in: folder, accounts: accounts)
        let recording = try await record(seeded, holds: holds, callers: 256)
        let file = "\(folder)/holds.recording"
        try Data(recording.encoded()).write(to: URL(fileURLWithPath: file))
        return HoldsPeer(seeded: seeded, recording: recording, file: file, peers: peers)
    }

    /// Makes a store with customers in a folder below `folder`.
    static func seed(in folder: String, accounts: Int) async throws -> SeededStore {
        let path = "\(folder)/seeded"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return try await SeededStore.make(folder: path, accounts: accounts)
    }

    /// Records the statements of so many holds on a copy of the store.
    static func record(
        _ seeded: SeededStore, holds: Int, callers: Int
    ) async throws -> HoldRecording {
        try await seeded.withCopy { folder in
            try await StatementTrace.recording {
                try await SeededStore.withStore(folder) { store in
                    _ = try await seeded.hold(
                        in: store, callers: min(callers, holds),
                        seconds: Limits.benchRoundSeconds, most: holds)
                }
            }
        }
    }

    /// Replays the holds in batches of a size, on a copy of the store.
    func step(_ name: String, batch: Int) -> BenchPlan.Step {
        BenchPlan.Step(series: Series(name, callers: batch)) { seconds in
            try await self.run(batch: batch, seconds: seconds).figures
        }
    }

    /// Replays once.
    func run(batch: Int, seconds: Double) async throws -> Peers.Outcome {
        try await seeded.withCopy { folder in
            try await peers.run(
                "sqlite-holds",
                [file, "\(folder)/store.sqlite", "\(batch)", "\(seconds)"])
        }
    }
}
