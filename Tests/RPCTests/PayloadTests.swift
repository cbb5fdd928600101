import CChecksum
import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Compressed and secured payloads, in both directions.
@Suite(.serialized, .timeLimit(.minutes(2))) struct PayloadTests {
    private let text = Array(
        String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 200).utf8)

    // MARK: The formats

    @Test func `the checksum of bRPC's vector is bRPC's`() {
        let payload = hex("0a0568656c6c6f")
        let value = payload.withUnsafeBytes { PayloadChecksum.value(payload: $0, attachment: nil) }
        #expect(value == 0x61f6_3a7e)
    }

    @Test func `a checksum goes on over the attachment as over one run of bytes`() {
        let whole = payloadChecksum("hello, world", attachment: nil)
        #expect(payloadChecksum("hello,", attachment: " world") == whole)
        #expect(payloadChecksum("hello,", attachment: nil) != whole)
    }

    private func payloadChecksum(_ payload: String, attachment: String?) -> UInt32 {
        ByteBuffer(string: payload).withUnsafeReadableBytes {
            PayloadChecksum.value(payload: $0, attachment: attachment.map(ByteBuffer.init(string:)))
        }
    }

    @Test func `the processor's instruction and the tables agree on every length and place`() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }
        bytes.withUnsafeBytes { all in
            for start in 0..<9 {
                for end in start..<all.count {
                    let part = UnsafeRawBufferPointer(rebasing: all[start..<end])
                    let fast = tollgate_crc32c(7, part.baseAddress, part.count)
                    let slow = tollgate_crc32c_by_tables(7, part.baseAddress, part.count)
                    if fast != slow { Issue.record("they differ on \(start)..<\(end)") }
                }
            }
        }
        // The check value of CRC-32C in every catalogue.
        #expect(
            Array("123456789".utf8).withUnsafeBytes { tollgate_crc32c(0, $0.baseAddress, 9) }
                == 0xe306_9283)
    }

    @Test(arguments: PayloadCompression.allCases, [0, 1, 1_000, 1_000_000])
    func `what is compressed comes back whole`(type: PayloadCompression, count: Int) throws {
        let plain = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) })
        let packed = try #require(plain.withUnsafeReadableBytes { type.deflate($0) })
        guard case .whole(plain) = type.inflate(packed, limitBytes: count) else {
            Issue.record("it did not come back")
            return
        }
        guard count > 0 else { return }
        guard case .tooLong = type.inflate(packed, limitBytes: count - 1) else {
            Issue.record("the limit was not kept")
            return
        }
    }

    @Test(arguments: PayloadCompression.allCases)
    func `broken, short and trailing bytes are told from whole ones`(
        type: PayloadCompression
    ) throws {
        let packed = try #require(text.withUnsafeBytes { type.deflate($0) })
        var trailing = packed
        trailing.writeInteger(0 as UInt8)
        for bytes in [
            ByteBuffer(), ByteBuffer(string: "no such thing"), trailing,
            ByteBuffer(bytes: packed.readableBytesView.dropLast()),
        ] {
            guard case .broken = type.inflate(bytes, limitBytes: 1_000_000) else {
                Issue.record("\(bytes.readableBytes) bytes were taken")
                continue
            }
        }
    }

    @Test func `the other compression's frame is not taken`() throws {
        let packed = try #require(text.withUnsafeBytes { PayloadCompression.gzip.deflate($0) })
        guard case .broken = PayloadCompression.zlib.inflate(packed, limitBytes: 1_000_000) else {
            Issue.record("gzip was taken for zlib")
            return
        }
    }

    // MARK: Between our own ends

    @Test(arguments: Reach.allCases, PayloadCompression.allCases)
    func `requests and answers are compressed where a caller asks`(
        reach: Reach, type: PayloadCompression
    ) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            for payload in [[], Array(text.prefix(100)), text, text + text + text] {
                var outgoing = call(TestMethods.echo, payload)
                outgoing.compression = type
                outgoing.hasChecksum = true
                outgoing.attachment = ByteBuffer(string: "beside")
                let response = try await transport.exchange(outgoing)
                #expect(response.payload == payload)
                #expect(response.attachment == ByteBuffer(string: "beside"))
            }
        }
    }

    @Test(arguments: Reach.allCases)
    func `long payloads cross secured and compressed`(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            let payload = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 4) }
            var outgoing = call(TestMethods.echo, payload)
            outgoing.compression = .zlib
            outgoing.hasChecksum = true
            #expect(try await transport.exchange(outgoing).payload == payload)
        }
    }

    @Test func `many compressed calls at once are each answered with their own`() async throws {
        try await withTestServer { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 as Range<UInt8> {
                    group.addTask { () async throws in
                        let payload = [UInt8](repeating: number, count: 60_000)
                        var outgoing = call(TestMethods.echo, payload)
                        outgoing.compression = .gzip
                        #expect(try await transport.exchange(outgoing).payload == payload)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    // MARK: On the wire

    private func withPlainPeer(_ body: (inout RawPeer) async throws -> Void) async throws {
        try await withTestServer(
            .socket, configuration: testConfiguration { $0.credentials = .none }
        ) { (_, server) async throws in
            try await RawPeer.connect(to: server) { peer in try await body(&peer) }
        }
    }

    private func echo(
        _ payload: ByteBuffer, attachment: ByteBuffer = ByteBuffer(),
        _ change: (inout RpcMeta) -> Void
    ) throws -> ByteBuffer {
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(serviceName: "example.EchoService", methodName: "Echo")
        meta.correlationID = 7
        change(&meta)
        var buffer = ByteBuffer()
        try payload.withUnsafeReadableBytes {
            try buffer.writeCall(meta, payload: $0, attachment: attachment)
        }
        return buffer
    }

    @Test(arguments: PayloadCompression.allCases)
    func `a plain peer's compressed request is answered plain`(
        type: PayloadCompression
    ) async throws {
        let packed = try #require(text.withUnsafeBytes { type.deflate($0) })
        try await withPlainPeer { peer in
            try await peer.send(try echo(packed) { $0.compressType = type.rawValue })
            let frame = try #require(try await peer.frame())
            #expect(try frame.callMeta().compressType == 0)
            #expect(frame.body == ByteBuffer(bytes: text))
        }
    }

    @Test(arguments: PayloadCompression.allCases)
    func `an answer is compressed as the hint allows`(type: PayloadCompression) async throws {
        try await withPlainPeer { peer in
            try await peer.send(
                try echo(ByteBuffer(bytes: text)) {
                    $0.envelopeExtension = EnvelopeExtension()
                    $0.envelopeExtension?.acceptCompress = type.bit
                })
            let frame = try #require(try await peer.frame())
            #expect(try frame.callMeta().compressType == type.rawValue)
            guard case .whole(let plain) = type.inflate(frame.body, limitBytes: 1_000_000) else {
                Issue.record("the answer is not compressed so")
                return
            }
            #expect(plain == ByteBuffer(bytes: text))
        }
    }

    @Test(arguments: [1, 4, 99, -1] as [Int32])
    func `an unknown compression is answered 1003`(type: Int32) async throws {
        try await withPlainPeer { peer in
            try await peer.send(try echo(ByteBuffer(bytes: text)) { $0.compressType = type })
            #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
        }
    }

    @Test func `a bomb is answered 1003 and the connection goes on`() async throws {
        let zeros = [UInt8](repeating: 0, count: Limits.rpcBodyBytes + 1)
        let bomb = try #require(zeros.withUnsafeBytes { PayloadCompression.zlib.deflate($0) })
        #expect(bomb.readableBytes < 100_000)
        try await withPlainPeer { peer in
            try await peer.send(try echo(bomb) { $0.compressType = 3 })
            #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
            try await peer.send(try echo(ByteBuffer(string: "x")) { _ in })
            #expect(try await peer.frame()?.body == ByteBuffer(string: "x"))
        }
    }

    @Test func `bRPC's checksum vector is verified and the answer secured`() async throws {
        try await withPlainPeer { peer in
            try await peer.send(
                try echo(hexBuffer("0a0568656c6c6f")) {
                    $0.checksumType = 1
                    $0.checksum = 0x61f6_3a7e
                })
            let meta = try #require(try await peer.frame()).callMeta()
            #expect(meta.response?.errorCode == 0)
            #expect(meta.checksumType == 1)
            #expect(meta.checksum == 0x61f6_3a7e)
        }
    }

    @Test func `a checksum is verified before anything is unpacked`() async throws {
        let packed = try #require(text.withUnsafeBytes { PayloadCompression.gzip.deflate($0) })
        let good = packed.withUnsafeReadableBytes {
            PayloadChecksum.value(payload: $0, attachment: nil)
        }
        try await withPlainPeer { peer in
            for (checksum, code) in [(good, 0), (good &+ 1, 1_003)] as [(UInt32, Int32)] {
                try await peer.send(
                    try echo(packed) {
                        $0.compressType = 2
                        $0.checksumType = 1
                        $0.checksum = checksum
                    })
                #expect(try await peer.frame()?.callMeta().response?.errorCode == code)
            }
        }
    }

    @Test func `an attachment is covered if the request says so`() async throws {
        let attachment = ByteBuffer(string: "beside")
        let both = payloadChecksum("hello", attachment: "beside")
        try await withPlainPeer { peer in
            for (covers, code) in [(true, 0), (false, 1_003)] as [(Bool, Int32)] {
                try await peer.send(
                    try echo(ByteBuffer(string: "hello"), attachment: attachment) {
                        $0.checksumType = 1
                        $0.checksum = both
                        $0.checksumCoversAttachment = covers
                    })
                #expect(try await peer.frame()?.callMeta().response?.errorCode == code)
            }
        }
    }

    /// The meta's end: checksum_type, and a value that is not four bytes or not there.
    @Test(arguments: ["5801", "5801 6203 616263", "5801 6205 6162636465", "5802 6204 61626364"])
    func `a checksum that is none is answered 1003`(fields: String) async throws {
        let head = hex("0a1b 0a136578616d706c652e4563686f53657276696365 12044563686f 2007")
        let meta = head + hex(fields)
        try await withPlainPeer { peer in
            var packet = ByteBuffer(string: "PRPC")
            packet.writeInteger(UInt32(meta.count + 2))
            packet.writeInteger(UInt32(meta.count))
            packet.writeBytes(meta)
            packet.writeString("hi")
            try await peer.send(packet)
            #expect(try await peer.frame()?.callMeta().response?.errorCode == 1_003)
        }
    }

    /// bRPC's own responses carry a stale value with type 0 (rpc-wire, 1.5).
    @Test func `a checksum's value without a type means nothing`() async throws {
        let meta = hex(
            "0a1b 0a136578616d706c652e4563686f53657276696365 12044563686f 2007 5800 6200")
        try await withPlainPeer { peer in
            var packet = ByteBuffer(string: "PRPC")
            packet.writeInteger(UInt32(meta.count + 2))
            packet.writeInteger(UInt32(meta.count))
            packet.writeBytes(meta)
            packet.writeString("hi")
            try await peer.send(packet)
            #expect(try await peer.frame()?.body == ByteBuffer(string: "hi"))
        }
    }
}
