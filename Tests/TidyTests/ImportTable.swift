/// Which modules a layer may import: the direction of dependencies as data.
///
/// SwiftPM refuses cycles, and undeclared targets where it is asked to; it does not see modules
/// that a declared dependency brings along, nor those of the system. This table sees both.
struct Layer: Sendable {
    /// The folder, with its slash.
    var folder: String
    var modules: Set<String>
    /// Modules that single files may import beside, keyed by the file's path.
    var exceptions: [String: Set<String>] = [:]
}

enum ImportTable {
    private static let domains: Set<String> = [
        "Accounts", "Analytics", "Auth", "Chat", "Operations", "Orders", "Weixin",
    ]
    private static let facades: Set<String> = ["Logging", "Metrics", "CoreMetrics"]
    private static let tracing: Set<String> = ["ServiceContextModule", "Tracing"]
    private static let collections: Set<String> = [
        "Collections", "DequeModule", "HeapModule", "OrderedCollections",
    ]
    private static let nio: Set<String> = ["NIOCore", "NIOPosix"]
    private static let hummingbird: Set<String> = [
        "Hummingbird", "HummingbirdCore", "HTTPTypes", "NIOCore",
    ]
    private static let foundation: Set<String> = ["Foundation", "FoundationEssentials"]
    private static let sqlite: Set<String> = ["GRDB", "GRDBSQLite"]

    /// What every layer may import: part of the language, no policy in it.
    static let everywhere: Set<String> = ["Synchronization"]

    /// Every folder of Sources with Swift in it; a folder that is not here is a finding.
    static let layers: [Layer] = values + wire + adapters + roles

    private static let values: [Layer] = [
        Layer(
            folder: "Sources/Kernel/", modules: [],
            // The machine's clock; nothing else of the kernel touches the system.
            exceptions: ["Sources/Kernel/SystemPorts.swift": ["Glibc"]]),
        Layer(folder: "Sources/Cryptography/", modules: ["COpenSSL", "TollgateKernel"]),
        Layer(folder: "Sources/Domain/Accounts/", modules: ["Cryptography", "TollgateKernel"]),
        Layer(folder: "Sources/Domain/Analytics/", modules: ["TollgateKernel"]),
        Layer(folder: "Sources/Domain/Auth/", modules: ["Cryptography", "TollgateKernel"]),
        Layer(folder: "Sources/Domain/Chat/", modules: ["TollgateKernel"]),
        Layer(folder: "Sources/Domain/Operations/", modules: ["TollgateKernel"]),
        Layer(folder: "Sources/Domain/Orders/", modules: ["TollgateKernel"]),
        Layer(
            folder: "Sources/Domain/Weixin/",
            // The official account speaks XML, and Foundation has the kept-up parser.
            modules: ["Cryptography", "TollgateKernel", "Foundation", "FoundationXML"]),
        Layer(
            folder: "Sources/Application/",
            modules: domains.union(facades).union(["Cryptography", "TollgateKernel"])),
    ]

    private static let wire: [Layer] = [
        Layer(
            folder: "Sources/Wire/",
            // Glibc for memcpy: protobuf-c's messages lie in memory of ours.
            modules: ["CProto", "CProtobufC", "Glibc", "TollgateKernel"]),
        Layer(
            folder: "Sources/RPC/",
            // NIOHTTP1 for what the same port answers over HTTP.
            modules: facades.union(collections).union(nio).union(tracing)
                .union([
                    "CChecksum", "CZlib", "NIOHTTP1", "NIOSSL", "TollgateKernel", "TollgateWire",
                ]),
            exceptions: [
                // A pair of sockets inside one process.
                "Sources/RPC/Server/RPCServer+InProcess.swift": ["Glibc"],
                // Names have several addresses; SwiftNIO gives the first.
                "Sources/RPC/Client/Balancing/AddressResolver.swift": ["Glibc"],
                // The numbers of the kernel's own options.
                "Sources/RPC/Edges/DeadPeers.swift": ["Glibc"],
                // poll: a look at a socket before its loop sleeps.
                "Sources/RPC/Loop/Linger.swift": ["Glibc"],
                "Sources/RPC/Loop/OutboundGauge.swift": ["Glibc"],
                // stat(2) and access(2), and a socket in the file system.
                "Sources/RPC/TLS/FileStamp.swift": ["Glibc"],
                // The event that tells the end of a handshake.
                "Sources/RPC/TLS/HandshakeWatch.swift": ["NIOTLS"],
                "Sources/RPC/Server/UnixListener.swift": ["Glibc"],
            ]),
        Layer(
            folder: "Sources/ProtoGenerator/",
            modules: ["CProtobufC", "CProtocPlugin", "Glibc"]),
    ]

    private static let adapters: [Layer] = [
        Layer(
            folder: "Sources/Storage/",
            // Dispatch and Glibc: threads of its own, and flock between processes.
            modules: domains.union(facades).union(sqlite)
                .union([
                    "Application", "CPostgres", "Cryptography", "Dispatch", "Glibc",
                    "TollgateKernel",
                ])),
        Layer(
            folder: "Sources/Gateways/",
            modules: facades.union(foundation).union([
                "Application", "CCurl", "Chat", "Cryptography", "Glibc", "Orders",
                "TollgateKernel", "Weixin",
            ])),
        Layer(
            folder: "Sources/Observability/", modules: facades.union(["TollgateKernel", "Glibc"])),
    ]

    private static let roles: [Layer] = [
        Layer(
            folder: "Sources/Server/",
            modules: domains.union(facades)
                .union(["Application", "TollgateKernel", "TollgateRPC", "TollgateWire"]),
            exceptions: [
                // Threads for what may not run on an event loop.
                "Sources/Server/BlockingWork.swift": ["Dispatch"]
            ]),
        Layer(
            folder: "Sources/Jobs/",
            modules: domains.union(facades).union(foundation)
                .union(["Application", "TollgateKernel", "ServiceLifecycle"])),
        Layer(
            folder: "Sources/Client/",
            modules: facades.union(tracing)
                .union(["TollgateKernel", "TollgateRPC", "TollgateWire"])),
        Layer(
            folder: "Sources/ClientC/",
            // Dispatch and Glibc: C's threads wait, and C frees what it is given.
            modules: ["CTollgate", "Dispatch", "Glibc", "TollgateClient"]),
        Layer(
            folder: "Sources/Web/",
            modules: facades.union(foundation).union(hummingbird)
                .union(["ServiceLifecycle", "TollgateClient"])),
        Layer(
            folder: "Sources/Sandbox/",
            modules: facades.union(foundation).union(hummingbird).union(nio).union(sqlite)
                .union(["Cryptography", "ServiceLifecycle", "TollgateKernel"]),
            exceptions: [
                // Pushes and notifications go out over a small client of its own.
                "Sources/Sandbox/HTTP/OutgoingHTTP.swift": ["NIOHTTP1"],
                "Sources/Sandbox/OfficialAccount/FlatXML.swift": ["FoundationXML"],
            ]),
        Layer(
            folder: "Sources/CLI/",
            modules:
                foundation
                .union(["ArgumentParser", "CQRencode", "Glibc", "TollgateClient"])),
        // Benchmarks: they call through Client and RPC, and hold through the store's port; SQLite
        // itself tells them which statements a hold runs.
        Layer(
            folder: "Sources/Bench/",
            modules: foundation.union(nio).union([
                "Accounts", "Application", "Auth", "GRDBSQLite", "Glibc", "Histogram", "Logging",
                "Operations", "Storage", "TollgateClient", "TollgateKernel", "TollgateRPC",
                "TollgateWire",
            ])),
        // The composition root: the one place that knows every adapter, if not the wire's C.
        Layer(
            folder: "Sources/Tollgate/",
            modules: domains.union(facades).union(foundation).union(hummingbird).union(nio)
                .union(sqlite).union([
                    "Application", "ArgumentParser", "Bench", "CCurl", "CLI", "Configuration",
                    "Cryptography", "Dispatch", "Gateways", "Glibc", "Jobs",
                    "Observability", "Sandbox", "Server", "ServiceLifecycle", "Storage",
                    "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire",
                    "UnixSignals", "Web",
                ])),
    ]
}
