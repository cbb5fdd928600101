import Foundation

/// What the tests take from outside.
enum Environment {
    /// The seed to repeat a failed run with.
    static var seed: UInt64? {
        ProcessInfo.processInfo.environment["TOLLGATE_SEED"].flatMap { UInt64($0) }
    }

    /// The folder of this package, found from this file.
    static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}
