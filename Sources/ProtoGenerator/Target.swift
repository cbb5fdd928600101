/// What is generated for: the product, the benchmark's echo, or the samples of the wire's tests.
struct Target {
    /// The one package that the files may be of.
    var package: String
    /// The enum that messages nest in.
    var namespace: String
    /// What stands before a declaration of messages, with the space after it.
    var access: String
    /// Imports of a file that names the wire's types.
    var wireImports: [String]
    /// Imports of a file that names protoc-c's structs.
    var codecImports: [String]
    /// Where messages go, below protoc's output folder.
    var messageFolder: String
    /// What is made of services; nil for nothing.
    var services: Services?

    /// Where the code of services goes, and how it is declared.
    struct Services {
        /// Servers' protocols go here, below protoc's output folder.
        var handlersFolder: String
        /// Clients' stubs go here.
        var clientsFolder: String
        /// Imports of a file of stubs.
        var clientImports: [String]
        /// Whether the enum `Methods` itself is made, with its list of all; else it is extended.
        var hasMethodTable: Bool
    }

    /// The contract: messages and tables into Wire, protocols into Server, stubs into Client.
    static let product = Target(
        package: "tollgate.v1", namespace: "V1", access: "public ", wireImports: [],
        codecImports: ["internal import CProto", "internal import CProtobufC"],
        messageFolder: "Wire/Generated/",
        services: Services(
            handlersFolder: "Server/Generated/", clientsFolder: "Client/Generated/",
            clientImports: ["public import TollgateWire"], hasMethodTable: true))

    /// The echo that benchmarks call: not part of what clients are promised, so nothing of it is
    /// public, and its services' code stands beside the benchmark.
    static let echo = Target(
        package: "example", namespace: "Example", access: "package ", wireImports: [],
        codecImports: ["internal import CProto", "internal import CProtobufC"],
        messageFolder: "Wire/Generated/",
        services: Services(
            handlersFolder: "Bench/Generated/", clientsFolder: "Bench/Generated/",
            clientImports: ["package import TollgateClient"], hasMethodTable: false))

    /// The target that protoc's parameter names; nil if it names none.
    static func named(_ parameter: String) -> Target? {
        switch parameter {
        case "": .product
        case "echo": .echo
        case "samples": .samples
        default: nil
        }
    }

    /// The messages of Tests/WireTests/Samples, which use what the contract does not use yet.
    static let samples = Target(
        package: "tollgate.samples", namespace: "Samples", access: "",
        wireImports: ["@testable internal import TollgateWire"],
        codecImports: [
            "internal import CProtoSamples", "internal import CProtobufC",
            "@testable internal import TollgateWire",
        ], messageFolder: "", services: nil)
}
