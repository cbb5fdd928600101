import Foundation
import Glibc
import Testing
import TollgateKernel

@testable import Bench

@Suite(.serialized)
struct AllocationTests {
    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-allocations-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    @Test func `what a program allocates is counted, and some stacks kept once asked`() async throws
    {
        let peers = try BuiltPeers.result.get()
        let library = try peers.path(AllocationTally.peer)
        try await withFolder { folder in
            let tally = try AllocationTally(in: folder)
            #expect(try tally.counts().allocations == 0)
            func run() async throws -> AllocationTally.Counts {
                let before = try tally.counts()
                _ = try await ChildProcess(
                    "/usr/bin/sort", ["/proc/self/maps"], environment: tally.environment(library)
                ).result()
                return try tally.counts() - before
            }
            let once = try await run()
            #expect(once.allocations > 1)
            #expect(once.bytes > once.allocations)
            // Those of another process are its own, so the same is counted once more.
            let twice = try await run()
            #expect(abs(twice.allocations - once.allocations) < once.allocations / 2)
            #expect(try tally.stacks().isEmpty)
            try tally.keepStacks(true)
            _ = try await run()
            let stacks = try tally.stacks()
            #expect(!stacks.isEmpty)
            #expect(stacks.allSatisfy { !$0.addresses.isEmpty })
            try tally.keepStacks(false)
            _ = try await run()
            #expect(try tally.stacks().count == stacks.count)
        }
    }

    @Test func `a site is named by the library's function and then the program's own`() async throws
    {
        let inLibrary = try #require(dlsym(nil, "swift_allocObject"))
        let address = UInt64(UInt(bitPattern: inLibrary)) + 8
        let program = "/no/such/program"
        let sites = try await AllocationSites(process: getpid(), program: program).sites(
            of: [
                AllocationTally.Stack(bytes: 64, addresses: [address]),
                AllocationTally.Stack(bytes: 32, addresses: [address]),
            ], calls: 101, series: "bare", side: "client")
        #expect(
            sites == [
                AllocationSite(
                    series: "bare", side: "client", site: "swift_allocObject", perCall: 2,
                    bytesPerCall: 96)
            ])
    }

    @Test func `what is rare is left out`() async throws {
        let sites = try await AllocationSites(process: 0, program: "/").sites(
            of: [AllocationTally.Stack(bytes: 1, addresses: [1])], calls: 1_000_000, series: "a",
            side: "b")
        #expect(sites.isEmpty)
    }
}
