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
        guard let path, path != "", let (file, size) = Self.opened(path) else { return }
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        guard size <= memory / 2 else { return }
        var place = 0
        // The kernel takes no more at once than its read-ahead, and waits when the disk has enough.
        while place < size, isWanted {
            guard posix_fadvise(file, place, Limits.auditReadAheadBytes, POSIX_FADV_WILLNEED) == 0
            else { return }
            place += Limits.auditReadAheadBytes
        }
    }

    /// The number under which SQLite has a file open, and the file's size.
    ///
    /// None is opened for this: to close one takes every lock of the process on the file, and who
    /// opens the store next would believe it left by all and remove the log from under them. The
    /// number is asked for nothing but advice, which does no harm should it be another file's by
    /// then.
    static func opened(_ path: String) -> (file: CInt, size: Int)? {
        var wanted = stat()
        guard stat(path, &wanted) == 0, let numbers = opendir("/proc/self/fd") else { return nil }
        defer { closedir(numbers) }
        while let entry = readdir(numbers) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var facts = stat()
            guard let number = CInt(name), fstat(number, &facts) == 0,
                facts.st_ino == wanted.st_ino, facts.st_dev == wanted.st_dev
            else { continue }
            return (number, facts.st_size)
        }
        return nil
    }
}
