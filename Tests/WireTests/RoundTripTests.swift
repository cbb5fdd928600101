import Foundation
import Testing

@testable import TollgateWire

/// Every message against protoc's own encoder and decoder, with random values.
@Suite struct RoundTripTests {
    @Test func `every message of the contract round-trips against protoc's bytes`() throws {
        let folder = Environment.package.appendingPathComponent("Proto/tollgate/v1").path
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".proto") && !$0.hasSuffix("_service.proto") && $0 != "options.proto"
        }
        #expect(V1.allMessages.count > 40)
        try roundTrip(
            V1.allMessages, imports: files.sorted().map { "tollgate/v1/\($0)" }, countPerType: 40)
    }

    @Test func `every kind of field round-trips against protoc's bytes`() throws {
        try roundTrip(
            [Samples.Everything.self, Samples.Many.self, Samples.Everything.InnerThing.self],
            imports: ["samples.proto"], countPerType: 300)
    }

    private func roundTrip(
        _ types: [any WireMessage.Type], imports: [String], countPerType: Int
    ) throws {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        let trees = types.map { type in
            (0..<countPerType).map { _ in Tree.random(type.descriptor, using: &random) }
        }
        let batch = try Batch(types, imports: imports)
        defer { batch.cleanUp() }
        let theirs = try batch.encode(trees)
        var ours: [[[UInt8]]] = []
        for (index, type) in types.enumerated() {
            try #require(theirs[index].count == countPerType)
            ours.append(
                try zip(theirs[index], trees[index]).map { bytes, tree in
                    try roundTrip(type, bytes, expecting: tree, seed: seed)
                })
        }
        // Maps have no order in bytes, but in protoc's text.
        let (theirText, ourText) = (try batch.decode(theirs), try batch.decode(ours))
        #expect(theirText == ourText, "protoc reads our bytes differently, TOLLGATE_SEED=\(seed)")
    }

    /// Protoc's bytes to a value, compared with the tree, and back to bytes.
    private func roundTrip<Message: WireMessage>(
        _ type: Message.Type, _ bytes: [UInt8], expecting tree: Tree, seed: UInt64
    ) throws -> [UInt8] {
        let name = type.descriptor.name
        let message = try Message.decode(bytes)
        #expect(Tree(reflecting: message) == tree, "\(name), TOLLGATE_SEED=\(seed)")
        let ours = try message.encoded()
        if !type.descriptor.fields.contains(where: { $0.cardinality == .textMap }) {
            #expect(ours == bytes, "\(name), TOLLGATE_SEED=\(seed)")
        }
        let json = try WireJSON.text(of: ours, as: type.descriptor)
        // Through a message again: an entry of a map may leave out its empty parts or not.
        let fromJSON = try Message.decode(WireJSON.bytes(of: json, as: type.descriptor)).encoded()
        #expect(fromJSON == ours, "\(name) through JSON \(json), TOLLGATE_SEED=\(seed)")
        return ours
    }
}
