internal import GRDBSQLite
internal import Glibc
internal import TollgateKernel

/// Where SQLite's log stands by its index, which lies in shared memory and not on the disk.
///
/// The index' form: <https://sqlite.org/walformat.html#the_wal_index_header>.
struct LogIndex: Hashable {
    /// The valid frames.
    let frames: UInt32
    /// The running checksum after the last of them.
    let checksum: LogChecksum

    /// Reads the index of an open database.
    init(of file: UnsafeMutablePointer<sqlite3_file>) throws(StoreError) {
        guard let map = file.pointee.pMethods?.pointee.xShmMap else {
            throw .engine("the log's index cannot be reached")
        }
        var found: UnsafeMutableRawPointer?
        let code = map(file, 0, 32_768, 0, &found)
        guard code == SQLITE_OK, let found else {
            throw .engine("the log's index cannot be reached (\(code))")
        }
        let words = UnsafeRawPointer(found)
        frames = words.load(fromByteOffset: 16, as: UInt32.self)
        checksum = LogChecksum(
            first: words.load(fromByteOffset: 24, as: UInt32.self),
            second: words.load(fromByteOffset: 28, as: UInt32.self))
    }
}

/// The checksum that runs through SQLite's log: each frame's covers all before it.
///
/// <https://sqlite.org/fileformat2.html#checksum_algorithm>
struct LogChecksum: Hashable {
    var first: UInt32 = 0
    var second: UInt32 = 0

    /// Takes in bytes, eight at a time.
    mutating func add(_ bytes: UnsafeRawBufferPointer, isBigEndian: Bool) {
        for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
            let one = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let two = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            first &+= (isBigEndian ? one.bigEndian : one.littleEndian) &+ second
            second &+= (isBigEndian ? two.bigEndian : two.littleEndian) &+ first
        }
    }
}

/// SQLite's log as the disk has it, past the kernel's pages: after a failed sync those show what
/// may never have reached it.
struct LogOnDisk {
    private let path: String

    init(path: String) { self.path = path }

    /// Proves that the disk holds every frame that the index counts.
    /// - Throws: if it does not, or if the file system has no way past its own pages.
    func prove(_ index: LogIndex) throws(StoreError) {
        guard index.frames > 0 else { return }
        var reader = try UncachedReader(path)
        defer { reader.close() }
        let header = try reader.next(32)
        let magic = Self.word(header, 0)
        guard magic & ~1 == 0x377f_0682 else { throw Self.differs(0) }
        let isBigEndian = magic & 1 == 1
        let pageSize = Int(Self.word(header, 8))
        guard (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1 else {
            throw Self.differs(0)
        }
        let salts = header[16..<24]
        var checksum = LogChecksum()
        header.withUnsafeBytes {
            checksum.add(UnsafeRawBufferPointer(rebasing: $0[0..<24]), isBigEndian: isBigEndian)
        }
        for number in 1...index.frames {
            let frame = try reader.next(24 + pageSize)
            frame.withUnsafeBytes {
                checksum.add(UnsafeRawBufferPointer(rebasing: $0[0..<8]), isBigEndian: isBigEndian)
                checksum.add(UnsafeRawBufferPointer(rebasing: $0[24...]), isBigEndian: isBigEndian)
            }
            let told = LogChecksum(first: Self.word(frame, 16), second: Self.word(frame, 20))
            guard frame[8..<16].elementsEqual(salts), told == checksum else {
                throw Self.differs(number)
            }
        }
        guard checksum == index.checksum else { throw Self.differs(index.frames) }
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func differs(_ frame: UInt32) -> StoreError {
        .engine("the disk does not hold what the log was read as (frame \(frame))")
    }
}

/// Reads a file from its device, in order.
private struct UncachedReader {
    private static let chunkBytes = 65_536
    /// What direct reads are aligned to: no disk's blocks are larger.
    private static let alignment = 4_096

    private let descriptor: CInt
    private let chunk: UnsafeMutableRawBufferPointer
    private var offset: off_t = 0
    private var waiting: [UInt8] = []

    init(_ path: String) throws(StoreError) {
        // A memory file system has no device; its pages are all there is.
        let direct = Self.isInMemory(path) ? 0 : Self.directFlag
        descriptor = open(path, O_RDONLY | O_CLOEXEC | direct)
        guard descriptor >= 0 else {
            throw .engine("the log cannot be read past the kernel's pages (\(errno))")
        }
        chunk = .allocate(byteCount: Self.chunkBytes, alignment: Self.alignment)
    }

    /// O_DIRECT, which C shows only to those who ask for GNU's own names.
    private static var directFlag: CInt {
        #if arch(arm64)
            0x1_0000
        #else
            0x4000
        #endif
    }

    /// Whether the file lies on tmpfs or ramfs, as the kernel's list of mounts says.
    private static func isInMemory(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, let mounts = fopen("/proc/self/mountinfo", "re") else {
            return false
        }
        defer { fclose(mounts) }
        let number = UInt64(status.st_dev)
        let major = number >> 8 & 0xfff | number >> 32 & ~0xfff
        let minor = number & 0xff | number >> 12 & ~0xff
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, mounts) >= 0, let text = line {
            let words = String(cString: text).split(separator: " ")
            // Number, parent, device, root, place, options, some fields more, a dash, the kind.
            guard words.count > 6, words[2] == "\(major):\(minor)",
                let dash = words.firstIndex(of: "-"), dash + 1 < words.count
            else { continue }
            return ["tmpfs", "ramfs"].contains(words[dash + 1])
        }
        return false
    }

    func close() {
        chunk.deallocate()
        _ = Glibc.close(descriptor)
    }

    /// The next so many bytes.
    mutating func next(_ count: Int) throws(StoreError) -> [UInt8] {
        while waiting.count < count {
            let read = pread(descriptor, chunk.baseAddress, chunk.count, offset)
            if read < 0, errno == EINTR { continue }
            guard read > 0 else {
                throw .engine(
                    "the log on the disk is shorter than it was read, or fails (\(errno))")
            }
            waiting += chunk[0..<read]
            offset += off_t(read)
        }
        defer { waiting.removeFirst(count) }
        return Array(waiting[0..<count])
    }
}
