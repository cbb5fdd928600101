// swift-tools-version: 6.3
import PackageDescription

// Compiled into every Swift target. A misspelt name is silently ignored by the compiler, so
// Sources/Kernel/LanguageFeatures.swift asks `hasFeature` for each one.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("ImmutableWeakCaptures"),  // SE-0481
    .enableUpcomingFeature("InferIsolatedConformances"),  // SE-0470
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    .treatAllWarnings(as: .error),  // SE-0480
]

/// A Swift target whose folder is not named like its module.
func module(
    _ name: String, at path: String, _ dependencies: [Target.Dependency] = [],
    exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(path)", exclude: exclude,
        resources: resources, swiftSettings: settings)
}

/// The tests of one target, in `Tests/<name>`.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude,
        swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
// Only these modules of the package: the rest of it would be compiled for nothing.
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let orderedCollections = Target.Dependency.product(
    name: "OrderedCollections", package: "swift-collections")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTestUtilities = Target.Dependency.product(name: "NIOTestUtils", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")

let serviceContext = Target.Dependency.product(
    name: "ServiceContextModule", package: "swift-service-context")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")

let unixSignals = Target.Dependency.product(
    name: "UnixSignals", package: "swift-service-lifecycle")

let domains: [Target.Dependency] = [
    "Accounts", "Analytics", "Auth", "Chat", "Operations", "Orders", "Weixin",
]

let package = Package(
    name: "tollgate",
    products: [
        .library(name: "TollgateClient", targets: ["TollgateClient"]),
        // For other languages: installed as libtollgate.so by Scripts/install-client.
        .library(name: "TollgateC", type: .dynamic, targets: ["TollgateC"]),
        .executable(name: "tollgate", targets: ["Tollgate"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration.git", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing.git", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-service-context.git", from: "1.5.1"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // C libraries of the system; SQLite comes with GRDB's own system library target.
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(
            name: "CQRencode", pkgConfig: "libqrencode", providers: [.apt(["libqrencode-dev"])]),
        .systemLibrary(
            name: "CJemalloc", pkgConfig: "jemalloc", providers: [.apt(["libjemalloc-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // C of ours: the processor's instruction for CRC-32C, which Swift cannot name.
        .target(name: "CChecksum"),

        // C made by protoc-c: the contract, and the protoc plugin's own input.
        .target(name: "CProto", dependencies: ["CProtobufC"]),
        .target(
            name: "CProtocPlugin", dependencies: ["CProtobufC"], path: "Sources/CProtocPlugin"),

        // Values and pure functions.
        module("TollgateKernel", at: "Kernel"),
        module("Cryptography", at: "Cryptography", ["COpenSSL", "TollgateKernel"]),
        module("Accounts", at: "Domain/Accounts", ["Cryptography", "TollgateKernel"]),
        module("Analytics", at: "Domain/Analytics", ["TollgateKernel"]),
        module("Auth", at: "Domain/Auth", ["Cryptography", "TollgateKernel"]),
        module("Chat", at: "Domain/Chat", ["TollgateKernel"]),
        module("Operations", at: "Domain/Operations", ["TollgateKernel"]),
        module("Orders", at: "Domain/Orders", ["TollgateKernel"]),
        module("Weixin", at: "Domain/Weixin", ["Cryptography", "TollgateKernel"]),
        module(
            "Application", at: "Application",
            domains + ["Cryptography", "TollgateKernel", logging, metrics]),

        // The wire.
        module("TollgateWire", at: "Wire", ["CProto", "CProtobufC", "TollgateKernel"]),
        module(
            "TollgateRPC", at: "RPC",
            [
                "CChecksum", "CZlib", "TollgateKernel", "TollgateWire", deque, logging,
                metrics, nioCore, nioHTTP, nioPosix, nioSSL, nioTLS, orderedCollections,
                serviceContext, tracing,
            ]),
        .executableTarget(
            name: "ProtoGenerator", dependencies: ["CProtobufC", "CProtocPlugin"],
            swiftSettings: settings),

        // Adapters.
        module(
            "Storage", at: "Storage",
            domains + [
                "Application", "CPostgres", "Cryptography", "TollgateKernel", grdb, grdbSQLite,
                logging, metrics,
            ]),
        module(
            "Gateways", at: "Gateways",
            [
                "Application", "CCurl", "Chat", "Cryptography", "Orders", "TollgateKernel",
                "Weixin", logging, metrics,
            ]),
        module("Observability", at: "Observability", ["TollgateKernel", logging, metrics]),

        // Roles.
        module(
            "Server", at: "Server",
            domains + [
                "Application", "TollgateKernel", "TollgateRPC", "TollgateWire", logging, metrics,
            ]),
        module(
            "Jobs", at: "Jobs",
            domains + ["Application", "TollgateKernel", logging, metrics, serviceLifecycle]),
        module(
            "TollgateClient", at: "Client",
            ["TollgateKernel", "TollgateRPC", "TollgateWire", logging, metrics, tracing]),
        // The C interface: its header as a module, and the functions behind it.
        .target(name: "CTollgate"),
        module("TollgateC", at: "ClientC", ["CTollgate", "TollgateClient"]),
        module(
            "Web", at: "Web",
            ["TollgateClient", hummingbird, logging, metrics, nioCore, serviceLifecycle]),
        module(
            "Sandbox", at: "Sandbox",
            [
                "Cryptography", "TollgateKernel", grdb, hummingbird, logging, nioCore, nioHTTP1,
                nioPosix, serviceLifecycle,
            ]),
        module(
            "CLI", at: "CLI", ["CQRencode", "TollgateClient", argumentParser]),
        // Measures the product from outside, and parts of it inside one process.
        module(
            "Bench", at: "Bench",
            [
                "Accounts", "Application", "Auth", "Operations", "Storage", "TollgateClient",
                "TollgateKernel",
                "TollgateRPC", "TollgateWire", grdbSQLite, histogram, logging, nioCore, nioPosix,
            ]),
        .executableTarget(
            name: "Tollgate",
            dependencies: domains + [
                "Application", "Bench", "CLI", "Cryptography", "Gateways", "Jobs",
                "Observability", "Sandbox", "Server",
                "Storage", "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire", "Web",
                "CCurl", "CJemalloc", argumentParser, configuration, grdb, grdbSQLite, logging,
                metrics, nioCore, nioPosix,
                serviceLifecycle, hummingbird, unixSignals,
            ], swiftSettings: settings),

        // Tests: one target a source target, and those that judge the whole.
        tests(
            "AccountsTests",
            [
                "Accounts", "Application", "Cryptography", "Operations", "Storage", "TestSupport",
                "TollgateKernel",
            ]),
        tests("AnalyticsTests", ["Analytics", "TollgateKernel"]),
        tests(
            "ApplicationTests",
            domains + ["Application", "Cryptography", "Storage", "TestSupport", "TollgateKernel"]),
        tests("AuthTests", ["Auth", "TollgateKernel"]),
        tests(
            "BenchTests",
            ["Bench", "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire"]),
        tests(
            "CLITests",
            ["CLI", "TollgateClient", "TollgateKernel", "TollgateRPC", argumentParser],
            exclude: ["Snapshots"]),
        tests("ChatTests", ["Chat", "TollgateKernel"]),
        tests(
            "ClientTests",
            [
                "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire", metrics, nioCore,
                nioPosix, serviceContext, tracing,
            ]),
        tests(
            "ClientCTests",
            ["CTollgate", "TollgateC", "TollgateClient", "TollgateKernel", "TollgateRPC"]),
        tests("CryptographyTests", ["Cryptography", "TollgateKernel"]),
        tests(
            "GatewaysTests",
            [
                "Application", "Chat", "Cryptography", "Gateways", "Orders", "TollgateKernel",
                "Weixin",
            ]),
        tests(
            "JobsTests",
            domains + [
                "Application", "Jobs", "Storage", "TestSupport", "TollgateKernel", logging,
                serviceLifecycle,
            ]),
        tests("KernelTests", ["TollgateKernel"]),
        tests("ObservabilityTests", ["Observability", "TollgateKernel", logging, metrics]),
        tests("OperationsTests", ["Operations", "TollgateKernel"]),
        tests("OrdersTests", ["Orders", "TollgateKernel"]),
        tests("ProtoGeneratorTests", ["ProtoGenerator"], exclude: ["Samples"]),
        tests(
            "RPCTests",
            [
                "CChecksum", "FuzzTargets", "TollgateKernel", "TollgateRPC", "TollgateWire",
                logging,
                nioCore, nioEmbedded, nioPosix, nioSSL, nioTestUtilities,
            ], exclude: ["Corpus"]),
        // What is fed with hostile bytes, by RPCTests and by `make fuzz`.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "TollgateKernel", "TollgateRPC", "TollgateWire", logging, nioCore, nioEmbedded,
            ], path: "Tests/FuzzTargets", swiftSettings: settings),
        tests(
            "SandboxTests",
            ["Cryptography", "Sandbox", "TollgateKernel", hummingbird, logging, serviceLifecycle]),
        tests(
            "ServerTests",
            domains + [
                "Application", "Cryptography", "Gateways", "Jobs", "Server", "Storage",
                "TestSupport", "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire",
            ]),
        // A layer over SQLite's file system that fails on demand and cuts the power.
        .target(
            name: "CFaultVFS", path: "Tests/CFaultVFS",
            linkerSettings: [.linkedLibrary("sqlite3")]),
        // Plays a history of money in a store and kills itself where its test says.
        .executableTarget(
            name: "StoreVictim",
            dependencies: ["Application", "CFaultVFS", "Storage", "TestSupport", "TollgateKernel"],
            path: "Tests/StoreVictim", swiftSettings: settings),
        tests(
            "StorageContractTests",
            domains + [
                "Application", "CFaultVFS", "Cryptography", "Storage", "StoreVictim", "TestSupport",
                "TollgateKernel", grdb, grdbSQLite,
            ]),
        tests(
            "ThirdPartyTests",
            [
                "Cryptography", "Sandbox", "TollgateKernel", "Weixin", logging, serviceLifecycle,
            ], exclude: ["Python", "requirements.txt"]),
        tests("TidyTests", []),
        tests(
            "TollgateTests",
            [
                "Bench", "Sandbox", "TestSupport", "Tollgate", "TollgateClient", "TollgateKernel",
                "TollgateRPC",
            ]),
        tests(
            "WebTests",
            [
                "Sandbox", "TollgateClient", "TollgateKernel", "TollgateRPC", "TollgateWire", "Web",
                hummingbird, logging, nioCore, nioEmbedded, serviceLifecycle,
            ]),
        tests("WeixinTests", ["Cryptography", "TollgateKernel", "Weixin"]),
        // What the tests of use cases, jobs and server share: a store in a folder, a clock that
        // tests move, upstreams that do what a test says.
        .target(
            name: "TestSupport",
            dependencies: domains + ["Application", "Cryptography", "Storage", "TollgateKernel"],
            path: "Tests/TestSupport", swiftSettings: settings),
        .target(name: "CProtoSamples", dependencies: ["CProtobufC"], path: "Tests/CProtoSamples"),
        tests(
            "WireTests",
            ["CProto", "CProtoSamples", "CProtobufC", "TollgateKernel", "TollgateWire"],
            exclude: ["Samples"]),
    ],
    cLanguageStandard: .gnu11
)

// libFuzzer brings its own main, so the target exists only where `make fuzz` builds it.
if Context.environment["TOLLGATE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz",
            swiftSettings: settings))
    package.products.append(.executable(name: "Fuzz", targets: ["Fuzz"]))
}

// `TOLLGATE_SLICE=RPCTests,WireTests swift test` builds those tests and what they need alone: on a
// small machine one target's tests should not wait for the web server to compile.
if let slice = Context.environment["TOLLGATE_SLICE"], !slice.isEmpty {
    let byName = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    var wanted: Set<String> = []
    var pending = slice.split(separator: ",").map(String.init)
    while let name = pending.popLast() {
        guard let target = byName[name], wanted.insert(name).inserted else { continue }
        for dependency in target.dependencies {
            switch dependency {
            case .byNameItem(let name, _), .targetItem(let name, _): pending.append(name)
            default: break
            }
        }
    }
    package.targets.removeAll { !wanted.contains($0.name) }
    package.products = package.products.filter {
        (($0 as? Product.Executable)?.targets ?? ($0 as? Product.Library)?.targets)?
            .allSatisfy(wanted.contains) ?? false
    }
}
