import Application
import Foundation
import Logging
import TollgateKernel

#if canImport(Glibc)
    import Glibc
#endif

/// The folder that holds a service's store, keys and credentials.
///
/// ```
/// store.sqlite        the store              keys/identity, keys/master  32 bytes, hexadecimal
///                                            keys/master.previous        after a rotation
/// sandbox.db          the sandbox's state    keys/sandbox.json           both sides' keys
/// credentials/<role>  what a role shows      tollgate.json               settings
/// ```
/// Keys and credentials are made once, readable by their owner alone (0600 in a 0700 folder).
struct DataFolder: Sendable {
    /// Who shows a credential to the server.
    enum CredentialRole: String, CaseIterable, Sendable {
        case web
        case jobs
        case admin
        case cli
    }

    /// The folder's path.
    let path: String

    /// The store.
    var storePath: String { "\(path)/store.sqlite" }
    /// The sandbox's own state.
    var sandboxPath: String { "\(path)/sandbox.db" }
    /// Settings of this service; may be absent.
    var settingsPath: String { "\(path)/tollgate.json" }

    /// Opens a folder, making it if it is new.
    ///
    /// - Parameter home: What `~` stands for, as the environment's `HOME` says; nil asks the system
    ///   whose home it is.
    /// - Throws: A ``Failure`` that names the folder if it cannot be made or written.
    init(path: String, home: String? = nil) throws {
        self.path = Self.whole(path, home)
        for folder in [self.path, "\(self.path)/keys", "\(self.path)/credentials"] {
            try Self.makeFolder(folder)
        }
    }

    /// Names a folder that may be there or not; nothing is made.
    init(naming path: String, home: String? = nil) { self.path = Self.whole(path, home) }

    /// Waits until a server has filled the folder: roles may start together, in any order.
    ///
    /// - Throws: A ``Failure`` with what to do if none has after `waitMilliseconds`;
    ///   `CancellationError` if the task is cancelled.
    static func awaitFilled(
        path: String, home: String?, waitMilliseconds: Int64 = Limits.dataFolderWaitMilliseconds
    ) async throws {
        let credential = "\(whole(path, home))/credentials/\(CredentialRole.web.rawValue)"
        var waited: Int64 = 0
        while !FileManager.default.fileExists(atPath: credential) {
            guard waited < waitMilliseconds else {
                throw Failure(
                    .unauthenticated,
                    "\(credential) is missing; start the server on this folder first, copy its "
                        + "credential here, or name its folder with --data.")
            }
            if waited == 0 {
                Logger(label: "tollgate.web").notice(
                    "waiting for the server to fill the data folder", metadata: ["path": "\(path)"])
            }
            try await Task.sleep(for: .milliseconds(Limits.dataFolderLookMilliseconds))
            waited += Limits.dataFolderLookMilliseconds
        }
    }

    /// Checks that a folder is there; nothing is made.
    ///
    /// - Throws: `not_found`, with what to do.
    static func checkExists(path: String, home: String?) throws {
        let folder = whole(path, home)
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
        guard exists, isFolder.boolValue else {
            throw Failure(
                .notFound, "There is no data folder \(folder); name the server's with --data.")
        }
    }

    /// Checks that a server has filled a folder; nothing is made, and nothing waited for.
    ///
    /// - Throws: `not_found`, with what to do.
    static func checkFilled(path: String, home: String?) throws {
        try checkExists(path: path, home: home)
        let folder = whole(path, home)
        let credential = "\(folder)/credentials/\(CredentialRole.web.rawValue)"
        guard FileManager.default.fileExists(atPath: credential) else {
            throw Failure(
                .notFound,
                "No server has used the data folder \(folder) yet; start one on it, or name the "
                    + "server's with --data.")
        }
    }

    private static func whole(_ path: String, _ home: String?) -> String {
        guard let home, path == "~" || path.hasPrefix("~/") else {
            return (path as NSString).expandingTildeInPath
        }
        return home + path.dropFirst()
    }

    /// 32 random bytes under a name, made at first use.
    func key(_ name: String) throws -> [UInt8] {
        let file = "\(path)/keys/\(name)"
        // A new key beside an old store would make every person a stranger: a second welcome grant,
        // and balances that nobody reaches.
        let files = FileManager.default
        guard !files.fileExists(atPath: storePath) || files.fileExists(atPath: file) else {
            throw Failure(
                .internalError,
                "\(file) is missing although there is a store; restore it from a backup.")
        }
        let text = try secret(at: file)
        guard let bytes = Self.bytes(hexadecimal: text), bytes.count == 32 else {
            throw Failure(
                .internalError,
                "\(path)/keys/\(name) is no key of 64 hexadecimal digits; restore a backup."
            )
        }
        return bytes
    }

    private var masterPath: String { "\(path)/keys/master" }
    private var previousMasterPath: String { "\(path)/keys/master.previous" }
    private var freshMasterPath: String { "\(path)/keys/master.new" }

    /// The master key before the last rotation, as long as its file is there.
    func previousMasterKey() throws -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: previousMasterPath) else { return nil }
        return try key("master.previous")
    }

    /// The master keys as they lie there now; nothing is made, and nil tells they cannot be read.
    func masterKeys() -> MasterKeys? {
        guard FileManager.default.fileExists(atPath: masterPath) else { return nil }
        do {
            // A rotation puts the key before in its place first: who reads the new one finds it.
            return MasterKeys(present: try key("master"), previous: try previousMasterKey())
        } catch {
            return nil
        }
    }

    /// Puts a fresh master key in the place of the present one, which is kept beside it.
    ///
    /// Cut off at any point, the folder has a master key that opens what is sealed, and the next
    /// call goes on.
    ///
    /// - Throws: `conflict` while the key before is there: something may be sealed under it alone.
    func rotateMasterKey() throws {
        try checkMayRotate()
        let fresh = freshMasterPath
        _ = try secret(at: fresh)
        guard link(masterPath, previousMasterPath) == 0 || errno == EEXIST else {
            throw Failure(
                .unavailable, "\(previousMasterPath) cannot be made: \(Self.lastError()).")
        }
        // The key before must not be lost to a power cut that the new one survives.
        Self.syncFolder(of: masterPath)
        guard rename(fresh, masterPath) == 0 else {
            throw Failure(.unavailable, "\(masterPath) cannot be changed: \(Self.lastError()).")
        }
        Self.syncFolder(of: masterPath)
    }

    /// Checks that there is a master key to rotate, and none before it.
    ///
    /// - Throws: As ``rotateMasterKey()``.
    func checkMayRotate() throws {
        let files = FileManager.default
        let fresh = freshMasterPath
        guard files.fileExists(atPath: masterPath) else {
            throw Failure(
                .notFound, "\(masterPath) is missing: there is nothing to rotate yet.")
        }
        let isCutOff = files.fileExists(atPath: fresh)
        if files.fileExists(atPath: previousMasterPath) {
            guard isCutOff, try key("master.previous") == key("master") else {
                throw Failure(
                    .conflict,
                    "\(previousMasterPath) is still there: seal everything anew with "
                        + "`tollgate admin reseal`, put that file away, then rotate.")
            }
        }
    }

    /// What a role shows the server, made at first use.
    func credential(_ role: CredentialRole) throws -> String {
        let file = "\(path)/credentials/\(role.rawValue)"
        let text = try secret(at: file)
        guard text.utf8.count >= 32 else {
            throw Failure(
                .internalError, "\(file) holds no credential; remove it to have a new one made.")
        }
        return text
    }

    /// The text of a file, made at first use by `make`; several processes may start together, one
    /// of them makes it.
    func text(at path: String, make: () throws -> String) throws -> String {
        if let text = try? String(contentsOfFile: path, encoding: .utf8) {
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.unavailable, "\(path) cannot be written: \(Self.lastError()).")
        }
        defer { unlink(temporary) }
        let bytes = Array((try make() + "\n").utf8)
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count, fsync(descriptor) == 0, close(descriptor) == 0 else {
            throw Failure(.unavailable, "\(path) cannot be written: \(Self.lastError()).")
        }
        // link(2) fails if another process was first: then its text is the one.
        guard link(temporary, path) == 0 || errno == EEXIST else {
            throw Failure(.unavailable, "\(path) cannot be made: \(Self.lastError()).")
        }
        // The name has to survive a power cut as well as the bytes.
        Self.syncFolder(of: path)
        return try String(contentsOfFile: path, encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func syncFolder(of path: String) {
        let parent = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    private func secret(at path: String) throws -> String {
        try text(at: path) {
            SystemRandom().bytes(32).map { byte in
                String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }.joined()
        }
    }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure(
                .unavailable,
                "The data folder \(path) cannot be made; choose another with --data.")
        }
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = Array(text)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    private static func lastError() -> String { String(cString: strerror(errno)) }
}
