internal import Glibc
internal import TollgateKernel

/// How far a store had come, kept in a file beside it.
///
/// An older copy of the store, put back without a word, would take back what was acknowledged: it
/// has come less far than its mark, and is not served. `tollgate admin restore` removes the mark.
struct StoreMark: Hashable, Sendable {
    /// When the store was made: tells one store from another.
    var madeAt: String
    /// The highest transfer; history only grows.
    var newestTransfer: Int64

    /// How far a store has come.
    init(of connection: SQLiteConnection) throws(StoreError) {
        madeAt = try connection.first(Text.madeAt) { $0.text(0) } ?? ""
        newestTransfer = try connection.first(Text.newest) { $0.optionalInteger(0) ?? 0 } ?? 0
    }

    /// How far the folder's store had come; nil if nobody has noted it.
    init?(in folder: StoreFolder) {
        let file = open(folder.mark, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 128)
        let count = read(file, &buffer, buffer.count)
        let words = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
            .split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard words.count == 2, let newest = Int64(words[1]) else { return nil }
        madeAt = String(words[0])
        newestTransfer = newest
    }

    /// Whether a store that stands like this may follow one that stood like the mark.
    func mayFollow(_ mark: StoreMark) -> Bool {
        madeAt == mark.madeAt && newestTransfer >= mark.newestTransfer
    }

    /// Notes it; false if the disk refuses: the note before stands, which is true as well.
    @discardableResult
    func save(in folder: StoreFolder) -> Bool {
        let partial = "\(folder.mark).partial"
        let file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        let bytes = Array("\(madeAt) \(newestTransfer)\n".utf8)
        let isWritten = write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
        close(file)
        return isWritten && rename(partial, folder.mark) == 0
    }

    private enum Text {
        static let madeAt = SQL("SELECT content FROM store_meta WHERE name = 'made_at'")
        static let newest = SQL("SELECT MAX(id) FROM transfers")
    }
}

/// Notes from time to time how far the store has come; the writer's thread alone uses it.
struct StoreMarkKeeper {
    private let folder: StoreFolder
    private let clock: any MonotonicClock
    private var notedAt: Duration

    /// Keeps the mark of a folder, which was noted just now.
    init(folder: StoreFolder, clock: any MonotonicClock) {
        self.folder = folder
        self.clock = clock
        notedAt = clock.elapsed()
    }

    /// Notes it, if the last note is old enough.
    mutating func note(_ connection: WriterConnection, isLast: Bool = false) {
        let now = clock.elapsed()
        let pause = Duration.milliseconds(Limits.storeMarkMilliseconds)
        guard isLast || now - notedAt >= pause else { return }
        notedAt = now
        _ = try? connection.use { used throws(StoreError) in
            try StoreMark(of: used).save(in: folder)
        }
    }
}
