import Logging
import Metrics
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TollgateKernel

/// The server's certificate and key, read again when their files change.
///
/// New connections take the newest that could be read whole; a broken new file changes nothing but
/// a log line and a counter.
final class ServerCertificates: Sendable {
    let settings: ServerTLS
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var context: NIOSSLContext
        var stamp: FileStamp
        /// What could not be read, so that it is told once.
        var broken: FileStamp?
    }

    /// Reads the files; blocks while it does.
    /// - Throws: ``RPCServerError/certificateUnreadable(_:)``.
    init(_ settings: ServerTLS, logger: Logger) throws(RPCServerError) {
        self.settings = settings
        self.logger = logger
        let stamp = FileStamp(settings.paths)
        do {
            state = Mutex(State(context: try Self.read(settings), stamp: stamp))
        } catch {
            throw .certificateUnreadable("\(error)")
        }
    }

    /// What new connections use.
    var context: NIOSSLContext { state.withLock { $0.context } }

    /// Reads the files again if they changed; blocks while it does.
    ///
    /// True if new ones are in use.
    @discardableResult
    func reload() -> Bool {
        let stamp = FileStamp(settings.paths)
        let isNew = state.withLock { $0.stamp != stamp && $0.broken != stamp }
        guard isNew else { return false }
        do {
            let context = try Self.read(settings)
            state.withLock { state in
                state.context = context
                state.stamp = stamp
                state.broken = nil
            }
            logger.notice("took the new certificate", metadata: ["file": "\(settings.paths[0])"])
            Self.count("taken")
            return true
        } catch {
            state.withLock { $0.broken = stamp }
            logger.error(
                "the new certificate cannot be read; the old one stays",
                metadata: ["file": "\(settings.paths[0])", "why": "\(error)"])
            Self.count("broken")
            return false
        }
    }

    private static func count(_ outcome: String) {
        Counter(label: "tollgate_rpc_certificate_reloads_total", dimensions: [("outcome", outcome)])
            .increment()
    }

    /// Looks at the files again and again, on a thread that may block, until the task is cancelled.
    func watch() async {
        while (try? await Task.sleep(for: .milliseconds(settings.lookMilliseconds))) != nil {
            _ = try? await NIOThreadPool.singleton.runIfActive { self.reload() }
        }
    }

    private static func read(_ settings: ServerTLS) throws(TLSFileFault) -> NIOSSLContext {
        let chain = try TLSFileFault.certificates(in: settings.certificatePath)
        let key = try TLSFileFault.privateKey(in: settings.keyPath)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        if let path = settings.clientAuthoritiesPath {
            configuration.trustRoots = .certificates(try TLSFileFault.certificates(in: path))
            configuration.certificateVerification =
                settings.requiresClientCertificate ? .noHostnameVerification : .optionalVerification
        }
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw .doNotBelongTogether(
                certificate: settings.certificatePath, key: settings.keyPath)
        }
        if let end = chain.first?.notValidAfter {
            Gauge(label: "tollgate_rpc_certificate_expiry_timestamp_seconds").record(Int64(end))
        }
        return context
    }

    /// Who a client is by its certificate, which the handshake has checked; nil if its names are
    /// nobody's.
    func identity(of certificate: NIOSSLCertificate) -> ConnectionIdentity? {
        var names = certificate.subjectName.filter { $0.type == .commonName }.map(\.value)
        for name in certificate._subjectAlternativeNames() where name.nameType == .dnsName {
            names.append(String(decoding: name.contents, as: UTF8.self))
        }
        for name in names {
            if let role = settings.roles[name] { return ConnectionIdentity(name: name, role: role) }
        }
        return nil
    }
}

extension ClientTLS {
    /// Reads the files, for one connection; blocks while it does.
    func makeContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let authoritiesPath {
            configuration.trustRoots = .certificates(
                try TLSFileFault.certificates(in: authoritiesPath))
        }
        guard let certificatePath else { return try NIOSSLContext(configuration: configuration) }
        let keyPath = keyPath ?? certificatePath
        configuration.certificateChain = try TLSFileFault.certificates(in: certificatePath)
            .map { .certificate($0) }
        configuration.privateKey = .privateKey(try TLSFileFault.privateKey(in: keyPath))
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw TLSFileFault.doNotBelongTogether(certificate: certificatePath, key: keyPath)
        }
        return context
    }

    /// The handler of one connection.
    func makeHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let name = serverName ?? host
        // An address is no name to ask for; the certificate must list it instead.
        let isAddress = (try? SocketAddress(ipAddress: name, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : name)
    }
}
