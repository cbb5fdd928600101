// swift-tools-version: 6.3
import PackageDescription

// A package like those of the library's users: it sees what is public, and nothing else.
let package = Package(
    name: "greet",
    dependencies: [
        .package(name: "tollgate", path: "../..")
    ],
    targets: [
        .executableTarget(
            name: "greet",
            dependencies: [.product(name: "TollgateClient", package: "tollgate")])
    ]
)
