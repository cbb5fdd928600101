import Foundation
import TollgateWire

/// Many messages of many types, encoded and decoded by one run of protoc each way: a message with
/// one repeated field for each type stands around them.
struct Batch {
    private let types: [any WireMessage.Type]
    private let folder: URL

    struct Failed: Error {
        var text: String
    }

    /// Prepares the surrounding message; `imports` are the files that define the types.
    init(_ types: [any WireMessage.Type], imports: [String]) throws {
        self.types = types
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-wire-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var proto = "syntax = \"proto3\";\npackage tollgate.batch;\n"
        for name in imports { proto += "import \"\(name)\";\n" }
        proto += "message Batch {\n"
        for (index, type) in types.enumerated() {
            proto += "  repeated .\(type.descriptor.name) items\(index) = \(index + 1);\n"
        }
        proto += "}\n"
        try proto.write(
            to: folder.appendingPathComponent("batch.proto"), atomically: true, encoding: .utf8)
    }

    /// Removes what ``init(_:imports:)`` made.
    func cleanUp() { try? FileManager.default.removeItem(at: folder) }

    /// The bytes that protoc makes of the trees; the outer array follows the types.
    func encode(_ trees: [[Tree]]) throws -> [[[UInt8]]] {
        var text = ""
        for (index, type) in types.enumerated() {
            for tree in trees[index] {
                text += "items\(index) {\n\(tree.textFormat(type.descriptor))}\n"
            }
        }
        let output = try protoc("--encode=tollgate.batch.Batch", Data(text.utf8))
        return try split(Array(output))
    }

    /// The text that protoc makes of the messages' bytes.
    func decode(_ messages: [[[UInt8]]]) throws -> String {
        var bytes = Data()
        for (index, items) in messages.enumerated() {
            for item in items {
                bytes.append(contentsOf: Self.varint(UInt64(index + 1) << 3 | 2))
                bytes.append(contentsOf: Self.varint(UInt64(item.count)))
                bytes.append(contentsOf: item)
            }
        }
        let output = try protoc("--decode=tollgate.batch.Batch", bytes)
        return String(decoding: output, as: UTF8.self)
    }

    private func protoc(_ task: String, _ input: Data) throws -> Data {
        let (source, target) = (
            folder.appendingPathComponent("in"), folder.appendingPathComponent("out")
        )
        try input.write(to: source)
        try Data().write(to: target)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "protoc", "-I", folder.path, "-I",
            Environment.package.appendingPathComponent("Proto").path,
            "-I", Environment.package.appendingPathComponent("Tests/WireTests/Samples").path, task,
            "batch.proto",
        ]
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = try FileHandle(forWritingTo: target)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: "protoc \(task) failed") }
        return try Data(contentsOf: target)
    }

    private func split(_ bytes: [UInt8]) throws -> [[[UInt8]]] {
        var result = [[[UInt8]]](repeating: [], count: types.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let key = try Self.takeVarint(&rest)
            let count = Int(try Self.takeVarint(&rest))
            guard count <= rest.count else { throw Failed(text: "protoc's bytes are cut off") }
            result[Int(key >> 3) - 1].append(Array(rest.prefix(count)))
            rest.removeFirst(count)
        }
        return result
    }

    private static func takeVarint(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            result |= UInt64(byte & 0x7f) << shift
            shift += 7
            if byte < 0x80 { return result }
        }
        throw Failed(text: "protoc's bytes are cut off")
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var result: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            result.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return result + [UInt8(rest)]
    }
}
