import Foundation

/// One certificate that is its own authority, made by the openssl command in a temporary folder,
/// and removed with it.
final class TestCertificate: Sendable {
    private let folder: URL

    var path: String { folder.appendingPathComponent("own.pem").path }
    var keyPath: String { folder.appendingPathComponent("own.key").path }

    /// Makes one that is for this name alone.
    init(name: String) throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-client-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyPath, "-out", path, "-days",
            "2", "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)",
        ]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw OpenSSLFailed() }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    struct OpenSSLFailed: Error {}
}
