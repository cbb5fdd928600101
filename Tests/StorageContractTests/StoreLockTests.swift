import Application
import Glibc
import Operations
import Testing

@testable import Storage

/// A process loses its locks on a file when it closes any descriptor of it: nobody may open the
/// store's file beside SQLite.
@Suite struct StoreLockTests {
    /// Whether somebody holds what says that a connection to the database is open.
    ///
    /// An open file's own locks meet those of processes, so this process may ask for itself.
    private func isHeld(_ file: CInt) -> Bool {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        // SQLite's shared range.
        lock.l_start = 0x4000_0002
        lock.l_len = 510
        // F_OFD_GETLK, which C shows only to those who ask for GNU's own names.
        return fcntl(file, 36, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
    }

    @Test func `an audit leaves the locks that say that the store is open`() async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await AuditTests.liveIn(store)
        let file = open(folder.database, O_RDONLY | O_CLOEXEC)
        try #require(file >= 0)
        #expect(isHeld(file))
        let findings = try await store.read { tx in try tx.operations.audit() }
        #expect(findings.allSatisfy { $0.violationCount == 0 })
        #expect(isHeld(file))
        // What is asked sees such a loss.
        close(open(folder.database, O_RDONLY | O_CLOEXEC))
        #expect(!isHeld(file))
        await store.close()
        close(file)
    }

    @Test func `the file that the kernel is asked for is found among those that are open`()
        async throws
    {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        #expect(SQLiteConnection.opened(folder.database).map { $0.size > 0 } == true)
        await store.close()
        #expect(SQLiteConnection.opened(folder.database) == nil)
        #expect(SQLiteConnection.opened("\(folder.path)/none") == nil)
    }
}
