import Testing

@testable import TollgateWire

/// The codec's promises, one by one.
@Suite struct CodecTests {
    @Test func `a message has the bytes that the format says`() throws {
        let request = V1.LoginRequest(code: "K7QM-4T2X", source: "你好")
        let bytes = try request.encoded()
        #expect(bytes == [0x0a, 9] + Array("K7QM-4T2X".utf8) + [0x12, 6] + Array("你好".utf8))
        #expect(try V1.LoginRequest.decode(bytes) == request)
    }

    @Test func `no bytes are a message of defaults and the other way round`() throws {
        #expect(try V1.LoginRequest.decode([]) == V1.LoginRequest())
        #expect(try V1.LoginRequest().encoded() == [])
        #expect(try Samples.Nothing.decode([]) == Samples.Nothing())
    }

    @Test func `a text with a NUL is refused both ways, by its name`() {
        let name = "tollgate.v1.LoginRequest.code"
        #expect(throws: WireError.unencodable("the text \(name) holds a NUL character")) {
            try V1.LoginRequest(code: "a\0b").encoded()
        }
        #expect(throws: WireError.malformed("the text \(name) holds a NUL character")) {
            try V1.LoginRequest.decode([0x0a, 3, 0x61, 0, 0x62])
        }
        #expect(throws: WireError.malformed("the text \(name) holds a NUL character")) {
            try V1.LoginRequest.decode([0x0a, 1, 0])
        }
    }

    @Test(arguments: [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe4, 0xbd]] as [[UInt8]])
    func `a text that is not UTF-8 is refused by its name`(text: [UInt8]) {
        #expect(throws: WireError.malformed("the text tollgate.samples.Many.texts is not UTF-8")) {
            try Samples.Many.decode([0x1a, UInt8(text.count)] + text)
        }
        #expect(throws: WireError.self) {
            try Samples.Everything.decode([0x3a, UInt8(text.count)] + text)
        }
    }

    @Test func `bytes may hold anything`() throws {
        let message = Samples.Everything(data: [0, 1, 0, 255], datas: [[], [0]])
        #expect(try Samples.Everything.decode(message.encoded()) == message)
    }

    @Test func `of a field given twice the last counts, also of a message in parts`() throws {
        #expect(try V1.LoginRequest.decode([0x0a, 1, 0x61, 0x0a, 2, 0x62, 0x63]).code == "bc")
        let first = Samples.Everything.InnerThing(aB: 5)
        let second = Samples.Everything.InnerThing(standing: .upright)
        let bytes =
            try Samples.Everything(inner: first).encoded()
            + Samples.Everything(inner: second).encoded()
        // The format would merge the parts; protobuf-c does not merge proto3's plain fields, and no
        // encoder writes a message in parts.
        #expect(try Samples.Everything.decode(bytes).inner == second)
        #expect(
            try WireJSON.text(of: bytes, as: Samples.Everything.descriptor)
                == #"{"inner":{"aB":"5","standing":"STANDING_UPRIGHT"}}"#)
    }

    @Test func `of a oneof's members the last counts`() throws {
        let bytes =
            try Samples.Everything(event: .eventText("x")).encoded()
            + Samples.Everything(event: .eventTruth(false)).encoded()
        #expect(try Samples.Everything.decode(bytes).event == .eventTruth(false))
        #expect(
            try WireJSON.text(of: bytes, as: Samples.Everything.descriptor)
                == #"{"eventTruth":false}"#)
    }

    @Test func `a oneof of one member tells absent from default`() throws {
        #expect(try Samples.Everything.decode([]).number == nil)
        let zero = try Samples.Everything(number: 0, words: "").encoded()
        #expect(try Samples.Everything.decode(zero).number == 0)
        #expect(try Samples.Everything.decode(zero).words == "")
    }

    @Test func `numbers of an enum that nobody knows are kept`() throws {
        let message = Samples.Everything(
            standing: .unrecognized(99), standings: [.upsideDown, .unrecognized(-7)])
        let read = try Samples.Everything.decode(message.encoded())
        #expect(read.standing.rawValue == 99)
        #expect(read.standings == [.upsideDown, .unrecognized(-7)])
    }

    @Test func `arrays are read packed and unpacked`() throws {
        #expect(try Samples.Many.decode([0x12, 2, 5, 6]).numbers == [5, 6])
        #expect(try Samples.Many.decode([0x10, 5, 0x12, 1, 6, 0x10, 7]).numbers == [5, 6, 7])
    }

    @Test func `unknown fields are dropped`() throws {
        let known = try V1.LoginRequest(code: "x").encoded()
        let unknown: [UInt8] = [0xf8, 0x3e, 1, 0xfa, 0x3e, 2, 1, 2]
        #expect(try V1.LoginRequest.decode(unknown + known + unknown).encoded() == known)
    }

    @Test func `lent bytes stay whole while other messages are read and written`() throws {
        let outer = V1.LoginRequest(code: "outer", source: String(repeating: "s", count: 200_000))
        let expected = try outer.encoded()
        try outer.withEncoded { bytes in
            for size in [10, 1_000, 300_000] {
                let inner = V1.LoginRequest(code: String(repeating: "i", count: size))
                try inner.withEncoded { lent in
                    let read = try V1.LoginRequest.decode(lent)
                    #expect(read == inner)
                    #expect(Array(bytes) == expected)
                }
            }
            let read = try V1.LoginRequest.decode(bytes)
            #expect(read == outer)
        }
        #expect(try outer.encoded() == expected)
    }

    @Test func `an error inside the body passes through and leaves the arena usable`() throws {
        struct Stop: Error {}
        let message = V1.LoginRequest(code: "x")
        for _ in 0..<100 {
            #expect(throws: Stop.self) {
                try message.withEncoded { _ in throw Stop() }
            }
        }
        #expect(try V1.LoginRequest.decode(message.encoded()) == message)
        #expect(Arena.current.lastUsedBytes < 1_000)
    }

    @Test func `many tasks read and write at once`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<16 {
                group.addTask {
                    for round in 0..<40 {
                        let message = Samples.Everything(
                            large: Int64(number), text: "task \(number)",
                            texts: Array(repeating: "round \(round)", count: round))
                        let read = try Samples.Everything.decode(message.encoded())
                        #expect(read == message)
                        await Task.yield()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `the wire's numbers of errors are the transport's`() {
        #expect(WireError.tooLarge(limitBytes: 1).wireCode == 1_003)
        #expect(WireError.malformed("x").wireCode == 1_003)
        #expect(WireError.unencodable("x").wireCode == 2_001)
    }

    @Test func `the table holds every method with its facts`() throws {
        let names = Methods.all.map(\.fullName)
        #expect(Set(names).count == names.count)
        #expect(names.contains("tollgate.v1.ChatService/Ask"))
        let ask = Methods.ChatService.ask
        #expect(ask.access == .user)
        #expect(ask.streaming == .serverStreaming)
        #expect(ask.request === V1.AskRequest.descriptor)
        #expect(Methods.all.allSatisfy { $0.defaultDeadlineMilliseconds > 0 })
    }
}
