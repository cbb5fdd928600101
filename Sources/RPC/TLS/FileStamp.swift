import Glibc

/// What tells that files were replaced: where each lies, how long it is and when it was written.
struct FileStamp: Hashable {
    private struct Entry: Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int
    }

    private let entries: [Entry?]

    /// Looks at the files; one that is not there has a stamp too.
    init(_ paths: [String]) {
        entries = paths.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            return Entry(
                device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
                size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec)
        }
    }

    /// What the system says against reading the file; nil if nothing.
    static func problem(ofReading path: String) -> String? {
        access(path, R_OK) == 0 ? nil : String(cString: strerror(errno))
    }
}
