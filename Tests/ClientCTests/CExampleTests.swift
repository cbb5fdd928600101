import CTollgate
import Foundation
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

/// The example in C: compiled with the header and the library that users get, run as a process
/// against a real server.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CExampleTests {
    private struct AnyCredential: CredentialVerifier {
        func verify(_ credential: [UInt8]) async -> ConnectionIdentity? {
            ConnectionIdentity(name: "web", role: .web)
        }
    }

    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Where the build put the tests, and the library beside them.
    private static var products: URL? {
        let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let library = folder.appendingPathComponent("libTollgateC.so")
        return FileManager.default.fileExists(atPath: library.path) ? folder : nil
    }

    /// The compiler, and what it needs for a library that was built with a sanitizer.
    private static var compiler: [String] {
        let words = ProcessInfo.processInfo.environment["TOLLGATE_TEST_C_COMPILER"] ?? "cc"
        return words.split(separator: " ").map(String.init)
    }

    /// Compiles an example as its users do; the program.
    private func compile(_ name: String, into folder: URL) async throws -> String {
        let products = try #require(
            Self.products, "libTollgateC.so is not beside the tests; was the product built?")
        let program = folder.appendingPathComponent(name).path
        let compiled = try await run(
            "/usr/bin/env",
            Self.compiler + [
                "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", "-o", program,
                Self.package.appendingPathComponent("Examples/c/\(name).c").path,
                "-I", Self.package.appendingPathComponent("Sources/CTollgate/include").path,
                "-L", products.path, "-lTollgateC", "-Wl,-rpath,\(products.path)",
                // The debug library takes Swift's runtime from where the compiler has it.
                "-Wl,--allow-shlib-undefined",
            ])
        try #require(compiled.status == 0, "\(compiled.output)")
        return program
    }

    /// A folder that is removed after `body`.
    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-c-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    @Test func `the example in C compiles without a warning and is answered`() async throws {
        try await withFolder { try await checkAsking(compile("ask", into: $0)) }
    }

    /// The library is that of this build: one that brings Swift's runtime along takes minutes.
    @Test func `what is installed is enough to build and run the example, with pkg-config`()
        async throws
    {
        try await withFolder { folder in
            let prefix = folder.appendingPathComponent("usr")
            let products = try #require(Self.products, "was the product built?")
            let installed = try await run(
                Self.package.appendingPathComponent("Scripts/install-client").path,
                ["--built", products.appendingPathComponent("libTollgateC.so").path, prefix.path])
            try #require(installed.status == 0, "\(installed.output)")
            let files = try #require(FileManager.default.enumerator(atPath: prefix.path))
                .compactMap { $0 as? String }
            let version = TOLLGATE_API_VERSION
            #expect(
                files.sorted() == [
                    "include", "include/tollgate.h", "lib", "lib/libtollgate.so",
                    "lib/libtollgate.so.\(version)", "lib/pkgconfig",
                    "lib/pkgconfig/tollgate.pc",
                ])
            let program = folder.appendingPathComponent("ask").path
            let environment = [
                "PKG_CONFIG_PATH": prefix.path + "/lib/pkgconfig",
                "LD_LIBRARY_PATH": prefix.path + "/lib",
            ]
            // As the example itself says how.
            let example = Self.package.appendingPathComponent("Examples/c/ask.c").path
            let compiled = try await run(
                "/bin/sh",
                ["-ec", #"exec "$@" $(pkg-config --cflags --libs tollgate)"#, "sh", "/usr/bin/env"]
                    + Self.compiler
                    + ["-o", program, example, "-Wl,--allow-shlib-undefined"], environment)
            try #require(compiled.status == 0, "\(compiled.output)")
            try await checkAsking(program, environment)
        }
    }

    /// What the linker is told is seen on a library of one function, linked in Swift's place.
    @Test func `the installed library stays in memory and shows nothing but its functions`()
        async throws
    {
        try await withFolder { folder in
            let files = [
                "library.c": "int tollgate_kept(void) { return 1; } int other(void) { return 2; }",
                "swift": #"""
                #!/bin/sh
                case "$*" in *--show-bin-path) exec dirname "$0" ;; esac
                options=
                while [ $# -gt 0 ]; do
                    [ "$1" = -Xlinker ] && { options="$options $1 $2"; shift; }
                    shift
                done
                cd "$(dirname "$0")"
                exec cc -shared -fPIC -o libTollgateC.so library.c $options
                """#,
            ]
            for (name, text) in files {
                try Data(text.utf8).write(to: folder.appendingPathComponent(name))
            }
            let swift = folder.appendingPathComponent("swift").path
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: swift)
            let prefix = folder.appendingPathComponent("usr").path
            let paths = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
            let installed = try await run(
                Self.package.appendingPathComponent("Scripts/install-client").path, [prefix],
                ["PATH": "\(folder.path):\(paths)"])
            try #require(installed.status == 0, "\(installed.output)")
            let library = prefix + "/lib/libtollgate.so"
            let facts = try await run(
                "/usr/bin/env", ["readelf", "--wide", "--dynamic", "--dyn-syms", library])
            try #require(facts.status == 0, "\(facts.output)")
            #expect(facts.output.contains("NODELETE"), "\(facts.output)")
            #expect(facts.output.contains("[libtollgate.so.\(TOLLGATE_API_VERSION)]"))
            #expect(facts.output.contains(" tollgate_kept"), "\(facts.output)")
            #expect(!facts.output.contains(" other"), "\(facts.output)")
        }
    }

    private func checkAsking(
        _ program: String, _ environment: [String: String] = [:]
    ) async throws {
        var configuration = RPCServerConfiguration(credentials: .verified(by: AnyCredential()))
        configuration.port = 0
        try await withRPCServer(configuration, services: services) { server in
            let address = try #require(try await server.address).description
            let answered = try await run(
                program, [address, "key", "session", "say \"two\" words"], environment)
            #expect(answered.status == 0, "\(answered.output)")
            #expect(answered.output.contains(#""payload":"aGVsbG8=""#), "\(answered.output)")
            #expect(answered.output.contains("4 messages"), "\(answered.output)")
            let refused = try await run(
                program, [address, "key", "stranger", "hello"], environment)
            #expect(refused.status == 1)
            #expect(refused.output.contains("quota_exhausted: Buy more."), "\(refused.output)")
        }
    }

    /// Both ends know each other by one certificate, which is its own authority.
    @Test func `the example of attachments is encrypted, answered, and gives up when told`()
        async throws
    {
        try await withFolder { folder in
            let program = try await compile("attach", into: folder)
            let (certificate, key) = (folder.path + "/c.pem", folder.path + "/c.key")
            let made = try await run(
                "/usr/bin/env",
                [
                    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=web.internal", "-addext",
                    "subjectAltName=IP:127.0.0.1",
                ])
            try #require(made.status == 0, "\(made.output)")
            var configuration = RPCServerConfiguration(credentials: .none)
            configuration.port = 0
            configuration.tls = ServerTLS(certificatePath: certificate, keyPath: key)
            configuration.tls?.clientAuthoritiesPath = certificate
            configuration.tls?.requiresClientCertificate = true
            try await withRPCServer(configuration, services: services) { server in
                let address = try #require(try await server.address).description
                let known = [certificate, certificate, key]
                let answered = try await run(
                    program, [address, "key", "a picture", "60000"] + known)
                #expect(answered.status == 0, "\(answered.output)")
                #expect(answered.output.contains("beside them: a picture"), "\(answered.output)")
                #expect(answered.output.contains("from = attach.c"), "\(answered.output)")
                let left = try await run(program, [address, "key", "hang", "100"] + known)
                #expect(left.status == 1)
                #expect(left.output.contains("cancelled: The call was cancelled"), "\(left.output)")
                let unknown = try await run(
                    program, [address, "key", "a picture", "60000", certificate])
                #expect(unknown.status == 1, "\(unknown.output)")
            }
        }
    }

    private var services: [ServiceRegistration] {
        [
            ServiceRegistration(
                name: "tollgate.v1.DiagnosticsService",
                methods: [
                    .unary(Methods.DiagnosticsService.ping) { (request: V1.PingRequest, context) in
                        let attachment = context.attachmentBytes
                        if attachment == Array("hang".utf8) {
                            try await Task.sleep(for: .seconds(60))
                        }
                        if !attachment.isEmpty { context.setResponseAttachment(attachment) }
                        context.setTrailers(["from": context.userFields["example"] ?? ""])
                        return V1.PingResponse(payload: request.payload)
                    }
                ]),
            ServiceRegistration(
                name: "tollgate.v1.ChatService",
                methods: [
                    .serverStreaming(Methods.ChatService.ask) {
                        (
                            request: V1.AskRequest, context,
                            writer: ServerStreamWriter<V1.AnswerEvent>
                        ) in
                        guard context.authorization == "session" else {
                            throw Failure(.quotaExhausted, "Buy more.")
                        }
                        for word in (request.turns.first?.content ?? "").split(separator: " ") {
                            try await writer.write(.init(event: .delta(String(word))))
                        }
                        try await writer.write(.init(event: .done(.init(finishReason: "stop"))))
                    }
                ]),
        ]
    }

    /// Runs a program on a thread that may block; its status and all that it wrote.
    private func run(
        _ path: String, _ arguments: [String], _ environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String) {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let process = Process()
                        process.executableURL = URL(fileURLWithPath: path)
                        process.arguments = arguments
                        process.environment = ProcessInfo.processInfo.environment
                            .merging(environment) { $1 }
                        let pipe = Pipe()
                        process.standardOutput = pipe
                        process.standardError = pipe
                        try process.run()
                        let output = pipe.fileHandleForReading.readDataToEndOfFile()
                        process.waitUntilExit()
                        return (
                            process.terminationStatus, String(decoding: output, as: UTF8.self)
                        )
                    })
            }
        }
    }
}
