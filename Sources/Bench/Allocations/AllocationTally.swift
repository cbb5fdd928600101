import Foundation
import TollgateKernel

/// What a program asks of its allocator, as `Benchmarks/peers/allocations.c` counts it: a file that
/// the counted program shares.
struct AllocationTally: Sendable {
    /// Allocations and their bytes, from a moment on.
    struct Counts: Sendable {
        var allocations: Int64
        var bytes: Int64

        static func - (left: Counts, right: Counts) -> Counts {
            Counts(
                allocations: left.allocations - right.allocations,
                bytes: left.bytes - right.bytes)
        }
    }

    /// One allocation whose stack was kept.
    struct Stack: Sendable {
        var bytes: Int64
        /// Return addresses, the innermost first.
        var addresses: [UInt64]
    }

    /// The library that counts, as `Benchmarks/peers/build` leaves it.
    static let peer = "allocations.so"
    /// Names the file to the library.
    static let variable = "TOLLGATE_ALLOCATIONS"
    /// Of how many allocations one stack is kept: a prime, so that allocations which a call makes
    /// again and again are all met.
    static let period: UInt64 = 101

    // The layout of `Tally`: five numbers, then the stacks.
    private static let headerBytes = 40
    private static let periodOffset: UInt64 = 24
    private static let samplesOffset = 32
    private static let sampleBytes = 8 + 8 * 32
    private static let mostSamples = 1 << 16

    /// Where the file is.
    let path: String

    /// Takes a file that is there.
    init(at path: String) { self.path = path }

    /// Makes an empty file in a folder.
    /// - Throws: A ``Failure`` if it cannot be made.
    init(in folder: String) throws {
        path = "\(folder)/allocations-\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forUpdatingAtPath: path)
        else { throw Failure(.unavailable, "\(path) cannot be written.") }
        defer { try? file.close() }
        try file.truncate(
            atOffset: UInt64(Self.headerBytes + Self.mostSamples * Self.sampleBytes))
    }

    /// What a counted program is started with.
    func environment(_ library: String) -> [String: String] {
        ["LD_PRELOAD": library, Self.variable: path]
    }

    /// What was counted so far.
    /// - Throws: A ``Failure`` if the file is not there.
    func counts() throws -> Counts {
        let header = try read(at: 0, Self.headerBytes)
        return Counts(
            allocations: Int64(bitPattern: header[0]), bytes: Int64(bitPattern: header[1]))
    }

    /// Has stacks kept from now on, or no more.
    /// - Throws: A ``Failure`` if the file is not there.
    func keepStacks(_ keeps: Bool) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) else { throw missing }
        defer { try? file.close() }
        try file.seek(toOffset: Self.periodOffset)
        try file.write(contentsOf: withUnsafeBytes(of: keeps ? Self.period : 0) { Data($0) })
    }

    /// The stacks that were kept.
    /// - Throws: A ``Failure`` if the file is not there.
    func stacks() throws -> [Stack] {
        let header = try read(at: 0, Self.headerBytes)
        let count = min(Int(clamping: header[Self.samplesOffset / 8]), Self.mostSamples)
        let numbers = try read(at: Self.headerBytes, count * Self.sampleBytes)
        let stride = Self.sampleBytes / 8
        return (0..<numbers.count / stride).map { place in
            let sample = numbers[place * stride..<(place + 1) * stride]
            return Stack(
                bytes: Int64(clamping: sample.first ?? 0),
                addresses: Array(sample.dropFirst().prefix { $0 != 0 }))
        }
    }

    private var missing: Failure { Failure(.unavailable, "\(path) cannot be read.") }

    private func read(at offset: Int, _ count: Int) throws -> [UInt64] {
        guard let file = FileHandle(forReadingAtPath: path) else { throw missing }
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(offset))
        let data = count > 0 ? try file.read(upToCount: count) ?? Data() : Data()
        guard data.count == count else { throw missing }
        return data.withUnsafeBytes { bytes in
            (0..<count / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
    }
}
