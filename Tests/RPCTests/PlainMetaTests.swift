import CProto
import Testing
import TollgateKernel

@testable import TollgateWire

/// Plain metas are read and written beside protobuf-c: both must always say the same.
@Suite struct PlainMetaTests {
    /// What a reader made of some bytes.
    private enum Reading: Hashable {
        case meta(RpcMeta, contentType: Int32, isChunk: Bool)
        case error(WireError)

        init(
            _ bytes: [UInt8],
            by read: (
                UnsafeRawBufferPointer, (RpcMetaView) throws(WireError) -> Void
            ) throws(WireError) -> Void
        ) {
            self = .error(.malformed("nothing was lent"))
            var reading = self
            let outcome = bytes.withUnsafeBytes { bytes in
                Result { () throws(WireError) in
                    try read(bytes) { (view) throws(WireError) in
                        reading = .meta(
                            try RpcMeta(view), contentType: view.contentType, isChunk: view.isChunk)
                    }
                }
            }
            self = if case .failure(let error) = outcome { .error(error) } else { reading }
        }
    }

    private func isReadAlike(_ bytes: [UInt8], _ seed: UInt64) {
        let ours = Reading(bytes, by: RpcMetaView.with)
        let theirs = Reading(bytes, by: RpcMetaView.withUnpacked)
        #expect(ours == theirs, "seed \(seed), bytes \(bytes)")
    }

    /// Whether the plain reader takes these bytes, and does not leave them to protobuf-c.
    private func isPlain(_ bytes: [UInt8]) throws -> Bool {
        try bytes.withUnsafeBytes { try PlainMetaReader.lend($0) { _ in } }
    }

    private func randomMeta(_ random: inout SeededRandom) -> RpcMeta {
        func text(_ most: Int) -> String {
            String(
                (0..<Int.random(in: 0...most, using: &random)).map { _ in
                    "aZ9.字\u{0}".randomElement(using: &random) ?? "a"
                })
        }
        func sometimes() -> Bool { Int.random(in: 0..<4, using: &random) == 0 }
        var meta = RpcMeta()
        if !sometimes() {
            meta.request = RpcRequestMeta(
                serviceName: text(70), methodName: text(20),
                timeoutMilliseconds: sometimes() ? nil : .random(in: -9...90_000, using: &random))
        }
        if sometimes() {
            meta.response = RpcResponseMeta(
                errorCode: sometimes() ? .random(in: .min ... .max, using: &random) : 0,
                errorText: sometimes() ? text(200) : "")
        }
        if sometimes() { meta.compressType = .random(in: -1...4, using: &random) }
        let shift = Int.random(in: 0..<64, using: &random)
        meta.correlationID = .random(in: .min ... .max, using: &random) >> shift
        if sometimes() { meta.attachmentSize = .random(in: 0 ... .max, using: &random) }
        for _ in 0..<Int.random(in: 0...6, using: &random) where sometimes() {
            meta.userFields[text(20)] = text(120)
        }
        if sometimes(), sometimes() { meta.authenticationData = [1, 2, 3] }
        if sometimes(), sometimes() { meta.envelopeExtension = .announcement }
        return meta
    }

    private static let seeds = [SeededRandom.seed]

    @Test(arguments: seeds) func metasAreWrittenAndReadAsProtobufDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<3_000 {
            let meta = randomMeta(&random)
            var (ours, theirs): ([UInt8], [UInt8]) = ([], [])
            try meta.encode { ours = Array($0) }
            try meta.pack(attachmentSize: meta.attachmentSize) { theirs = Array($0) }
            #expect(ours == theirs, "seed \(seed): \(meta)")
            isReadAlike(theirs, seed)
        }
    }

    @Test(arguments: seeds) func requestsAreWrittenAsProtobufDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var plain = 0
        for _ in 0..<2_000 {
            let other = randomMeta(&random)
            guard let request = other.request else { continue }
            var meta = RpcMeta()
            meta.request = request
            meta.correlationID = other.correlationID
            meta.userFields = other.userFields
            var (ours, theirs): ([UInt8]?, [UInt8]) = (nil, [])
            let isPlain = RpcMeta.encodeRequest(
                request, correlationID: meta.correlationID, attachmentSize: other.attachmentSize,
                userFields: meta.userFields
            ) { ours = Array($0) }
            try meta.pack(attachmentSize: other.attachmentSize) { theirs = Array($0) }
            #expect(ours == (isPlain ? theirs : nil), "seed \(seed): \(meta)")
            plain += isPlain ? 1 : 0
        }
        #expect(plain > 500, "seed \(seed)")
    }

    @Test(arguments: seeds) func successIsWrittenAsProtobufDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for round in 0..<2_000 {
            var meta = RpcMeta()
            meta.response = RpcResponseMeta()
            let shift = Int.random(in: 0..<64, using: &random)
            meta.correlationID = .random(in: .min ... .max, using: &random) >> shift
            meta.attachmentSize = round % 3 == 0 ? 0 : .random(in: 0 ... .max, using: &random)
            var (ours, theirs): ([UInt8], [UInt8]) = ([], [])
            RpcMeta.encodeSuccess(
                correlationID: meta.correlationID, attachmentSize: meta.attachmentSize
            ) { ours = Array($0) }
            try meta.pack(attachmentSize: meta.attachmentSize) { theirs = Array($0) }
            #expect(ours == theirs, "seed \(seed): \(meta)")
        }
    }

    @Test(arguments: seeds) func damagedMetasAreReadAsProtobufDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<1_000 {
            let meta = randomMeta(&random)
            var bytes: [UInt8] = []
            try meta.pack(attachmentSize: meta.attachmentSize) { bytes = Array($0) }
            for _ in 0..<10 where !bytes.isEmpty {
                var damaged = bytes
                let place = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: damaged.removeSubrange(place...)
                case 2: damaged.remove(at: place)
                default: damaged.insert(.random(in: 0 ... .max, using: &random), at: place)
                }
                isReadAlike(damaged, seed)
            }
        }
    }

    /// Bytes that look like fields come upon more corners than damage does.
    @Test(arguments: seeds) func soupsOfFieldsAreReadAsProtobufDoes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let pieces: [[UInt8]] = [
            hex("0a 06 0a0161 120162"), hex("0a 04 0a00 1200"), hex("0a 03 0a0161"), hex("0a00"),
            hex("0a 08 0a0161 120162 4005"), hex("0a 08 0a0161 120162 1805"),
            hex("0a 0b 0a0161 120162 3a03 0a016b"), hex("0a 0a 0a0161 120162 0a0163 4800"),
            hex("12 02 0800"), hex("12 00"), hex("12 04 0805 1200"), hex("12 03 120161"),
            hex("18 01"), hex("18 808080808080808080 01"), hex("18 80808080808080808080 01"),
            hex("18 ffffffff ff00"), hex("20 07"), hex("20 8000"), hex("20 ffffffffffffffffff 7f"),
            hex("28 00"), hex("28 05"), hex("28 ffffffffffffffffff01"), hex("32 04 0801 1001"),
            hex("3a 02 6162"), hex("42 02 0801"), hex("4a 06 0a0161 120162"), hex("4a 00"),
            hex("4a 03 0a0161"), hex("4a 8600 0a0161 120162"), hex("50 01"), hex("58 01"),
            hex("62 04 01020304"), hex("68 01"), hex("c207 02 0801"), hex("1d 00000000"),
            hex("09 0000000000000000"), hex("0b"), hex("00 00"), hex("8a00 00"), hex("7a 01 00"),
        ]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...6, using: &random)
            var soup = (0..<count).flatMap { _ in pieces.randomElement(using: &random) ?? [] }
            if Int.random(in: 0..<8, using: &random) == 0 { _ = soup.popLast() }
            isReadAlike(soup, seed)
        }
    }

    /// protobuf-c keeps a note of each field, and finds many too large: so must we.
    @Test func manySmallFieldsAreReadAsProtobufDoes() {
        for count in [500, 512, 513, 1_000, 2_032, 2_033, 5_000, 32_000] {
            for field in ["2001", "6200", "2801"] {
                isReadAlike(Array(repeatElement(hex(field), count: count).joined()), 0)
            }
        }
    }

    @Test func plainCallsAreLeftToNobodyElse() throws {
        var request = RpcMeta()
        request.request = RpcRequestMeta(
            serviceName: "tollgate.v1.ChatService", methodName: "Ask", timeoutMilliseconds: 600_000)
        request.correlationID = .max
        request.attachmentSize = 70_000
        request.userFields = [
            RequestFields.authorizationKey: String(repeating: "s", count: 90),
            RequestFields.traceKey: String(repeating: "t", count: 55),
        ]
        var response = RpcMeta()
        response.response = RpcResponseMeta()
        response.correlationID = 9
        #expect(try isPlain(hex("12020800 1800 2007 5000 5800 6200")), "an answer of bRPC's")
        for meta in [request, response] {
            #expect(PlainMetaWriter.lend(meta, attachmentSize: meta.attachmentSize) { _ in })
            #expect(try isPlain(try meta.encoded()))
        }
    }

    @Test func whatIsNotPlainIsLeftToProtobuf() throws {
        var meta = RpcMeta()
        meta.envelopeExtension = .announcement
        #expect(try isPlain(try meta.encoded()) == false)
        meta = RpcMeta()
        meta.response = RpcResponseMeta(errorCode: 1, errorText: String(repeating: "e", count: 128))
        #expect(try isPlain(try meta.encoded()) == false)
        for (bytes, why) in [
            ("0a 06 0a0161 120162 0a 06 0a0161 120162", "a second request would be merged"),
            ("20 ffffffffffffffffffff01", "a number of eleven bytes"),
            ("0a 07 0a0161 120162", "a message beyond the end"),
            ("20", "a number that is not there"),
        ] {
            #expect(try isPlain(hex(bytes)) == false, "\(why)")
        }
    }
}
