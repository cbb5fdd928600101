import Application
import Foundation
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// What goes over the network to PostgreSQL, with certificates made for the occasion.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLEncryptionTests {
    /// A server that shows a certificate for `db.example`, and takes those who do not ask for it as
    /// well: who is encrypted there has asked.
    private struct Certified {
        let server: PostgresServer
        let schema: TemporarySchema

        init() async throws {
            server = try PostgresServer()
            let data = "\(server.folder)/data"
            // The server's own user makes them, since they are its to read.
            for name in ["root", "stranger"] {
                try Self.run(
                    """
                    req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=\(name)
                    -addext basicConstraints=critical,CA:TRUE -keyout \(data)/\(name).key
                    -out \(data)/\(name).crt
                    """, at: server)
            }
            try Self.run(
                """
                req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=db.example
                -addext subjectAltName=DNS:db.example -CA \(data)/root.crt
                -CAkey \(data)/root.key -addext basicConstraints=CA:FALSE
                -keyout \(data)/server.key -out \(data)/server.crt
                """, at: server)
            try server.run("ALTER SYSTEM SET ssl = on")
            try server.run("SELECT pg_reload_conf()")
            let server = server
            guard try await eventually({ try server.run("SHOW ssl") == "on" }) else {
                throw NotGathered()
            }
            schema = try TemporarySchema(on: server)
        }

        private static func run(_ arguments: String, at server: PostgresServer) throws {
            let words = arguments.replacing("\n", with: " ")
            try server.run("COPY (SELECT 1) TO PROGRAM 'openssl \(words) 2>&1 >/dev/null'")
        }

        /// Its address under a host's name, which leads to this machine whatever it is.
        func address(host: String, isNumber: Bool = false, _ more: String = "") -> String {
            let way = isNumber ? "" : "&hostaddr=127.0.0.1"
            return "postgres://postgres@\(host):\(server.port)/postgres"
                + "?options=-csearch_path%3D\(schema.name)\(way)&application_name=\(schema.name)"
                + more
        }

        /// Asks for everything that a certificate can prove, by a root that is trusted.
        func proof(root: String) -> String {
            "&sslmode=verify-full&sslrootcert=\(server.folder)/data/\(root).crt"
        }

        func open(_ address: String, role: StoreRole = .serve) async throws -> PostgreSQLStore {
            try await PostgreSQLStore.open(
                PostgreSQLTarget(address), realm: .sandbox, role: role,
                clock: FixedClock(milliseconds: 1_000_000), clockLimits: .none)
        }

        /// How the server's connections with the store are, by what it says itself.
        func connections() throws -> [String] {
            try server.run(
                """
                SELECT DISTINCT CASE WHEN ssl THEN 'encrypted' ELSE 'open' END
                FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                WHERE application_name = '\(schema.name)' ORDER BY 1
                """
            ).split(separator: "\n").map(String.init)
        }
    }

    /// What opening a store is refused with; nil if it opens.
    private func refusal(_ certified: Certified, _ address: String) async throws -> String? {
        do {
            await (try certified.open(address)).close()
            return nil
        } catch let refusal as StoreRefusal {
            return "\(refusal)"
        }
    }

    @Test func `a store speaks only to the server whose name and root it was told`() async throws {
        let certified = try await Certified()
        let right = certified.address(host: "db.example", certified.proof(root: "root"))
        let store = try await certified.open(right)
        try await store.write { tx in try tx.pushes.insert(push("kept")) }
        #expect(try await store.hasPush("kept"))
        #expect(try certified.connections() == ["encrypted"])
        // A connection that was cut is made anew under the same conditions.
        try certified.server.run(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE application_name = '\(certified.schema.name)'
            """)
        try await store.write { tx in try tx.pushes.insert(push("again")) }
        #expect(try await store.hasPush("again"))
        #expect(try certified.connections() == ["encrypted"])
        await store.close()

        let other = try await refusal(
            certified, certified.address(host: "other.example", certified.proof(root: "root")))
        #expect(
            other?.contains(
                #"server certificate for "db.example" does not match host name "other.example""#)
                == true, "\(other ?? "it opened")")
        let stranger = try await refusal(
            certified, certified.address(host: "db.example", certified.proof(root: "stranger")))
        #expect(
            stranger?.contains("certificate verify failed") == true, "\(stranger ?? "it opened")")
        for told in [other, stranger] {
            #expect(told?.contains("cannot connect to ") == true)
        }
        certified.server.end()
    }

    /// 0.0.0.0 is this machine as well, and not among what counts as loopback.
    @Test func `without a word of encryption what leaves the machine is encrypted or refused`()
        async throws
    {
        let certified = try await Certified()
        let unsaid = certified.address(host: "0.0.0.0", isNumber: true)
        let store = try await certified.open(unsaid)
        #expect(try await !store.hasPush("none"))
        #expect(try certified.connections() == ["encrypted"])
        await store.close()
        try certified.server.run("ALTER SYSTEM SET ssl = off")
        try certified.server.run("SELECT pg_reload_conf()")
        #expect(try await eventually { try certified.server.run("SHOW ssl") == "off" })
        let refused = try await refusal(certified, unsaid)
        #expect(
            refused?.contains("server does not support SSL, but SSL was required") == true,
            "\(refused ?? "it opened")")
        // Who says so, and who stays on the machine, goes without.
        for address in [
            certified.address(host: "0.0.0.0", isNumber: true, "&sslmode=disable"),
            certified.address(host: "127.0.0.1", isNumber: true),
        ] {
            let open = try await certified.open(address)
            #expect(try await !open.hasPush("none"))
            #expect(try certified.connections() == ["open"])
            await open.close()
        }
        certified.server.end()
    }
}
