import ArgumentParser
import Foundation
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

#if canImport(Glibc)
    import Glibc
#endif

/// How the server's port is secured: the options of every command that opens it.
struct ServerSecurityOptions: ParsableArguments {
    @Flag(
        name: .long,
        help: """
            Takes plain calls from other machines too (TOLLGATE_SERVER_INSECURE=true). Without it, \
            and without a certificate, the server listens on this machine alone; with a \
            certificate, calls from elsewhere must be encrypted. Calls from this machine may \
            always be plain.
            """)
    var insecure = false

    @Option(
        name: .long,
        help: """
            The server's certificate and its chain, PEM, read again on change \
            (TOLLGATE_SERVER_TLS_CERTIFICATE).
            """)
    var tlsCertificate: String?

    @Option(name: .long, help: "The certificate's private key, PEM (TOLLGATE_SERVER_TLS_KEY).")
    var tlsKey: String?

    @Option(
        name: .long,
        help: """
            Authorities whose clients' certificates are believed, PEM \
            (TOLLGATE_SERVER_TLS_CLIENT_CA).
            """)
    var tlsClientCA: String?

    @Option(
        name: .long,
        help: """
            Which service a client's certificate is: NAME=web|jobs|admin|cli, with commas \
            (TOLLGATE_SERVER_TLS_CLIENT_ROLES).
            """)
    var tlsClientRoles: String?

    /// The settings that the options stand for.
    var settings: [String: String?] {
        [
            "server.insecure": insecure ? "true" : nil,
            "server.tls.certificate": tlsCertificate, "server.tls.key": tlsKey,
            "server.tls.clientCA": tlsClientCA, "server.tls.clientRoles": tlsClientRoles,
        ]
    }
}

extension Settings {
    /// How the server encrypts; nil without a certificate.
    /// - Throws: A ``Failure`` that names the setting that is missing or wrong.
    func serverTLS() throws -> ServerTLS? {
        guard let certificate = text("server.tls.certificate") else {
            let others = [
                "server.tls.key", "server.tls.clientCA", "server.tls.clientRoles",
                "server.tls.requireClientCertificate",
            ]
            if let lonely = others.first(where: { text($0) != nil }) {
                throw Failure(
                    .invalidRequest,
                    "The setting \(lonely) means nothing without a certificate; name its file with "
                        + "--tls-certificate.")
            }
            return nil
        }
        guard let key = text("server.tls.key") else {
            throw Failure(
                .invalidRequest,
                "There is a certificate and no key for it; name its file with --tls-key.")
        }
        var tls = ServerTLS(
            certificatePath: certificate, keyPath: key,
            clientAuthoritiesPath: text("server.tls.clientCA"))
        for entry in (text("server.tls.clientRoles") ?? "").split(separator: ",") {
            let parts = entry.split(separator: "=").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard parts.count == 2, let role = ServiceRole(rawValue: parts[1]) else {
                throw Failure(
                    .invalidRequest,
                    "“\(entry)” names no service; write NAME=web, jobs, admin or cli.")
            }
            tls.roles[parts[0]] = role
        }
        tls.requiresClientCertificate = text("server.tls.requireClientCertificate") == "true"
        let judgesClients = tls.requiresClientCertificate || !tls.roles.isEmpty
        guard tls.clientAuthoritiesPath != nil || !judgesClients else {
            throw Failure(
                .invalidRequest,
                "Clients' certificates are judged by their authorities; name their file with "
                    + "--tls-client-ca.")
        }
        tls.hostNames = Set(
            (text("server.hostNames") ?? "").split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            })
        return tls
    }

    /// How this role's calls to the server are encrypted; nil is not at all.
    func clientTLS() -> TollgateClientTLS? {
        guard let authorities = text("tls.ca") else { return nil }
        return TollgateClientTLS(
            authoritiesPath: authorities == "system" ? nil : authorities,
            serverName: text("tls.serverName"), certificatePath: text("tls.certificate"),
            keyPath: text("tls.key"))
    }
}

/// How many files and sockets the process may have open.
enum DescriptorLimit {
    /// Raises the limit as far as the system lets it, and says how many connections fit under it.
    static func connections() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return Limits.rpcConnections
        }
        let wanted = rlim_t(Limits.rpcConnections + Limits.rpcOtherDescriptors)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        let fitting = Int(clamping: limit.rlim_cur) - Limits.rpcOtherDescriptors
        return max(Limits.rpcSpareConnections, min(Limits.rpcConnections, fitting))
    }
}
