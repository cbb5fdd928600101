import Glibc
import NIOCore
import NIOPosix

/// Listens on a socket in the file system that its owner alone may use.
enum UnixListener {
    /// Binds and listens; a socket that nobody listens on any more is replaced.
    ///
    /// A lock on the file PATH.lock says whose the place is: between bind and listen a server looks
    /// like one that is gone. Both files are removed again when the channel is closed in order.
    /// - Throws: `IOError`: EADDRINUSE if somebody listens there or is about to, EEXIST if the file
    ///   is no socket, ENAMETOOLONG if the path does not fit an address.
    static func bind(_ bootstrap: ServerBootstrap, to path: String) async throws -> any Channel {
        let lock = try PathLock(path)
        let identity: FileIdentity?
        let channel: any Channel
        do {
            let descriptor = try open(path)
            identity = FileIdentity(path)
            do {
                channel = try await bootstrap.withBoundSocket(descriptor).get()
            } catch {
                close(descriptor)
                throw error
            }
        } catch {
            lock.release()
            throw error
        }
        channel.closeFuture.whenComplete { _ in
            // Somebody who knows no lock may have taken the place meanwhile; that file stays.
            if let identity, FileIdentity(path) == identity { unlink(path) }
            lock.release()
        }
        return channel
    }

    /// Which file a path leads to.
    private struct FileIdentity: Equatable {
        let device: UInt64
        let inode: UInt64

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            self.init(status)
        }

        init?(descriptor: CInt) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { return nil }
            self.init(status)
        }

        private init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    /// The lock that whoever listens at a path holds, from before it binds until it has closed; the
    /// kernel frees it when its process dies.
    private struct PathLock {
        private let path: String
        private let descriptor: CInt

        init(_ socketPath: String) throws {
            path = socketPath + ".lock"
            while true {
                let flags = O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW
                let opened = Glibc.open(path, flags, 0o600)
                guard opened >= 0 else { throw failure("open \(path)") }
                guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
                    close(opened)
                    throw IOError(
                        errnoCode: EADDRINUSE, reason: "somebody listens on \(socketPath)")
                }
                // Whoever held it before may have removed the file since it was opened here.
                if FileIdentity(path) == FileIdentity(descriptor: opened) {
                    descriptor = opened
                    return
                }
                close(opened)
            }
        }

        /// Removes the file and frees the lock, in this order: nobody locks a file that is gone.
        func release() {
            unlink(path)
            close(descriptor)
        }
    }

    private static func open(_ path: String) throws -> CInt {
        let descriptor = try makeSocket()
        do {
            // bind(2) gives the file the socket's own mode: there is no moment at which others may
            // connect.
            guard fchmod(descriptor, 0o600) == 0 else { throw failure("fchmod") }
            do {
                try call(path, "bind") { Glibc.bind(descriptor, $0, $1) }
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                try removeStale(path)
                try call(path, "bind") { Glibc.bind(descriptor, $0, $1) }
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Removes a socket that nobody listens on.
    private static func removeStale(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw IOError(errnoCode: EEXIST, reason: "\(path) is there and is no socket")
        }
        let probe = try makeSocket()
        defer { close(probe) }
        do {
            try call(path, "connect") { connect(probe, $0, $1) }
        } catch let error as IOError where error.errnoCode == ECONNREFUSED {
            unlink(path)
            return
        }
        throw IOError(errnoCode: EADDRINUSE, reason: "somebody listens on \(path)")
    }

    private static func makeSocket() throws -> CInt {
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw failure("socket") }
        return descriptor
    }

    private static func call(
        _ path: String, _ name: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8) + [0]
        guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else {
            throw IOError(errnoCode: ENAMETOOLONG, reason: "\(path) is too long for a socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
        guard result == 0 else { throw failure(name) }
    }

    private static func failure(_ call: String) -> IOError {
        IOError(errnoCode: errno, reason: call)
    }
}
