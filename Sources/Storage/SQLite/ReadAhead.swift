internal import GRDBSQLite
internal import Glibc
internal import TollgateKernel

extension SQLiteConnection {
    /// Lets the kernel read the database's file from its beginning to its end, if it fits into half
    /// of the machine's memory.
    ///
    /// An audit reads all of it, but in the order of rows and keys, which lie all over the file: a
    /// disk that gives hundreds of megabytes a second so gives ten page by page. What the kernel
    /// has already is not read again. Nothing depends on it, so nothing is told if it fails.
    func readAhead() {
        guard let path, path != "" else { return }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        var facts = stat()
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        guard fstat(file, &facts) == 0, facts.st_size <= memory / 2 else { return }
        var place = 0
        // The kernel takes no more at once than its read-ahead, and waits when the disk has enough.
        while place < facts.st_size, isWanted {
            guard posix_fadvise(file, place, Limits.auditReadAheadBytes, POSIX_FADV_WILLNEED) == 0
            else { return }
            place += Limits.auditReadAheadBytes
        }
    }
}
