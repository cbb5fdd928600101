import Foundation
import Testing
import TollgateKernel

@testable import Storage

/// What SQLite's log is on the disk counts after a failed sync, not what was read of it.
@Suite struct LogOnDiskTests {
    /// A store with some commits in its log; `body` gets the connection and the log's path.
    private func withLog(
        commits: Int, _ body: (WriterConnection, String) throws -> Void
    ) throws {
        let folder = try TemporaryFolder()
        let path = StoreFolder(path: folder.path).database
        let connection = try WriterConnection(path: path)
        defer { connection.close() }
        try connection.use { used throws(StoreError) in
            try used.execute("CREATE TABLE texts (content TEXT)")
            for number in 0..<commits {
                try used.execute("INSERT INTO texts VALUES (printf('%.5000c', '\(number % 10)'))")
            }
        }
        try body(connection, path + "-wal")
    }

    /// Changes one byte of a file.
    private func flip(_ path: String, at offset: UInt64) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: offset)
        let byte = try #require(try file.read(upToCount: 1)?.first)
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data([byte ^ 0x10]))
        try file.close()
    }

    private func isRefused(_ connection: WriterConnection) -> Bool {
        do {
            try connection.use { used throws(StoreError) in try used.rewriteLog() }
            return false
        } catch {
            return true
        }
    }

    @Test(arguments: [0, 1, 40]) func aLogThatIsOnTheDiskIsKept(commits: Int) throws {
        try withLog(commits: commits) { connection, _ in #expect(!isRefused(connection)) }
    }

    @Test func anEmptiedLogHasNothingToProve() throws {
        try withLog(commits: 3) { connection, _ in
            try connection.use { used throws(StoreError) in
                try used.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            }
            #expect(!isRefused(connection))
        }
    }

    /// The pages of a failed sync were dropped, and are read as the disk has them.
    ///
    /// The log's header has 32 bytes, a frame's 24 before its page of 4,096: the mark and a salt of
    /// the former; page number, salt, checksum and content of the first frame; the sixth's content.
    @Test(arguments: [3, 17, 35, 41, 49, 156, 24_656] as [UInt64])
    func aLogThatIsAnotherOneByNowIsRefused(offset: UInt64) throws {
        try withLog(commits: 6) { connection, log in
            #expect(!isRefused(connection))
            try flip(log, at: offset)
            #expect(isRefused(connection))
            try flip(log, at: offset)
            #expect(!isRefused(connection))
        }
    }

    @Test func aLogThatEndsEarlyIsRefused() throws {
        try withLog(commits: 6) { connection, log in
            let file = try FileHandle(forUpdating: URL(filePath: log))
            try file.truncate(atOffset: 32 + 3 * 4_120)
            try file.close()
            #expect(isRefused(connection))
        }
    }
}
