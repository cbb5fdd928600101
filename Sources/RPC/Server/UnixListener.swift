import Glibc
import NIOCore
import NIOPosix

/// Listens on a socket in the file system that its owner alone may use.
enum UnixListener {
    /// Binds and listens; a socket that nobody listens on any more is replaced.
    ///
    /// The file is removed again when the channel is closed in order.
    /// - Throws: `IOError`: EADDRINUSE if somebody listens there, EEXIST if the file is no socket,
    ///   ENAMETOOLONG if the path does not fit an address.
    static func bind(_ bootstrap: ServerBootstrap, to path: String) async throws -> any Channel {
        let descriptor = try open(path)
        let identity = Identity(path)
        let channel: any Channel
        do {
            channel = try await bootstrap.withBoundSocket(descriptor).get()
        } catch {
            close(descriptor)
            throw error
        }
        channel.closeFuture.whenComplete { _ in
            // Another server may have taken the place meanwhile; its file stays.
            if let identity, Identity(path) == identity { unlink(path) }
        }
        return channel
    }

    private struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
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
