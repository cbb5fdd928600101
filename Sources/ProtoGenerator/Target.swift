/// What is generated for: the product, or the samples of its tests.
struct Target {
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
    /// Whether servers' and clients' code is made.
    var hasServices: Bool

    /// The contract: messages and tables into Wire, protocols into Server, stubs into Client.
    static let product = Target(
        namespace: "V1", access: "public ", wireImports: [],
        codecImports: ["internal import CProto", "internal import CProtobufC"],
        messageFolder: "Wire/Generated/", hasServices: true)

    /// The messages of Tests/WireTests/Samples, which use what the contract does not use yet.
    static let samples = Target(
        namespace: "Samples", access: "", wireImports: ["@testable internal import TollgateWire"],
        codecImports: [
            "internal import CProtoSamples", "internal import CProtobufC",
            "@testable internal import TollgateWire",
        ], messageFolder: "", hasServices: false)
}
