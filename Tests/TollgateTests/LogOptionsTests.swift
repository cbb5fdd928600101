import Foundation
import Storage
import Testing
import TollgateKernel

@testable import Tollgate

/// What an operator says about the room of SQLite's log.
struct LogOptionsTests {
    private func settings(_ mebibytes: String?) async throws -> Settings {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-settings-\(UUID().uuidString)").path
        let flags = mebibytes.map { ["store.logMebibytes": $0] } ?? [:]
        return try await Settings(folder: DataFolder(path: folder), flags: flags)
    }

    @Test func `Without a word the log has a GiB, and as much as was said else`() async throws {
        #expect(try await settings(nil).logBounds() == LogBounds())
        #expect(LogBounds().crowdedBytes == 1 << 30)
        #expect(try await settings("4096").logBounds() == LogBounds(crowdedBytes: 4 << 30))
        #expect(try await settings("128").logBounds().crowdedBytes == 128 << 20)
    }

    @Test func `A store that is PostgreSQL has no such log`() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-settings-\(UUID().uuidString)").path
        let address = ["store.address": "postgres://tollgate@127.0.0.1:5432/tollgate"]
        let settings = try await Settings(folder: DataFolder(path: folder), flags: address)
        #expect(try settings.logBounds() == LogBounds())
        let flags = address.merging(["store.logMebibytes": "256"]) { $1 }
        let told = try await Settings(folder: DataFolder(path: folder), flags: flags)
        let refused = #expect(throws: Failure.self) { try told.logBounds() }
        #expect(refused?.message.contains("PostgreSQL") == true)
    }

    @Test(arguments: ["127", "0", "-1", "1048577", "much", ""])
    func `A room out of its range is refused`(mebibytes: String) async throws {
        let settings = try await settings(mebibytes)
        #expect(throws: Failure.self) { try settings.logBounds() }
    }
}
