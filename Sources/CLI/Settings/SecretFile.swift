import Foundation
import Glibc

/// Files that hold a secret: only their owner may read them.
package enum SecretFile {
    /// Why a file could not be used.
    package enum Problem: Error, Hashable, Sendable {
        /// There is no such file.
        case missing
        /// Others than the owner may read it.
        case readableByOthers
        /// It is larger than a secret can be, empty, or no text.
        case unusable
        /// The system refused.
        case system(String)
    }

    /// Reads the text of a file, without white space around it.
    package static func read(_ path: String) throws(Problem) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT || errno == ENOTDIR ? .missing : .system(reason())
        }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw .system(reason()) }
        // A pipe or another place without bytes on disk, such as <(pass show tollgate), has no
        // lasting mode of its own.
        if facts.st_mode & S_IFMT == S_IFREG, facts.st_mode & 0o077 != 0 {
            throw .readableByOthers
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: CommandLimits.secretFileBytes + 1)
        while bytes.count <= CommandLimits.secretFileBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(reason()) }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        guard bytes.count <= CommandLimits.secretFileBytes,
            let text = String(validating: bytes, as: UTF8.self)
        else { throw .unusable }
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !trimmed.isEmpty else { throw .unusable }
        return trimmed
    }

    /// Writes a file that only its owner may read, whole or not at all; makes its folder.
    package static func write(_ text: String, to path: String) throws(Problem) {
        let folder = (path as NSString).deletingLastPathComponent
        // A bare name is in the present folder, which is there.
        if !folder.isEmpty { try makeFolder(folder) }
        let draft = "\(path).\(getpid()).new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(reason()) }
        let bytes = Array((text + "\n").utf8)
        let isWritten =
            Glibc.write(descriptor, bytes, bytes.count) == bytes.count
            && fsync(descriptor) == 0
        let problem = isWritten ? "" : reason()
        close(descriptor)
        guard isWritten, rename(draft, path) == 0 else {
            let cause = isWritten ? reason() : problem
            unlink(draft)
            throw .system(cause)
        }
    }

    private static func makeFolder(_ folder: String) throws(Problem) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw .system("the folder \(folder) cannot be made")
        }
    }

    /// Removes a file; one that is not there is as good as removed.
    package static func remove(_ path: String) throws(Problem) {
        guard unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR else {
            throw .system(reason())
        }
    }

    private static func reason() -> String {
        // errno is read before anything else can change it.
        let number = errno
        return String(cString: strerror(number))
    }
}

extension SecretFile.Problem {
    /// The failure that tells a person about it.
    package func failure(about what: String, path: String) -> CommandFailure {
        switch self {
        case .missing:
            CommandFailure(.file, "\(what) is missing: \(path)")
        case .readableByOthers:
            CommandFailure(
                .file, "\(what) can be read by others: \(path)", advice: "chmod 600 '\(path)'")
        case .unusable:
            CommandFailure(.file, "\(what) is not one short text: \(path)")
        case .system(let reason):
            CommandFailure(.file, "\(what) cannot be used (\(reason)): \(path)")
        }
    }
}
