import Glibc

/// A file that only its owner may read, written piece by piece beside its place and put there
/// whole, or not at all.
final class PrivateDraft: Sendable {
    private let path: String
    private let draft: String
    private let descriptor: Int32

    /// Begins a draft beside a path, whose folder must exist.
    init(of path: String) throws(SecretFile.Problem) {
        self.path = path
        draft = "\(path).\(getpid()).new"
        unlink(draft)
        descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.problem() }
    }

    deinit { close(descriptor) }

    /// Adds a piece.
    func write(_ text: String) throws(SecretFile.Problem) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.problem() }
            written += count
        }
    }

    /// Puts the whole file in its place.
    func keep() throws(SecretFile.Problem) {
        guard fsync(descriptor) == 0, rename(draft, path) == 0 else { throw Self.problem() }
    }

    /// Removes what was not put in its place.
    func discard() { unlink(draft) }

    private static func problem() -> SecretFile.Problem {
        // errno is read before anything else can change it.
        let number = errno
        return .system(String(cString: strerror(number)))
    }
}
