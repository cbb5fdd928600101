import NIOCore
import Testing
import TollgateKernel
import TollgateWire

/// The envelope's Swift face: what is written is read back, and hostile bytes are only errors.
@Suite struct EnvelopeTests {
    private func decode(_ bytes: [UInt8]) throws -> RpcMeta {
        try bytes.withUnsafeBytes { try RpcMeta.decode($0) }
    }

    @Test func everyFieldIsReadBack() throws {
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(
            serviceName: "tollgate.v1.AuthService", methodName: "Login", timeoutMilliseconds: -5)
        meta.response = RpcResponseMeta(errorCode: -3, errorText: "没有额度")
        meta.compressType = 2
        meta.correlationID = .min
        meta.attachmentSize = 12
        meta.authenticationData = [0, 255, 0]
        meta.streamSettings = StreamSettings(streamID: 0, needFeedback: false, writable: true)
        meta.userFields = ["authorization": "s", "x-error-code": "quota\u{0}exhausted", "": ""]
        var ours = EnvelopeExtension.announcement
        ours.cancelID = -7
        ours.errorCode = 0
        ours.errorText = ""
        ours.trailers = ["a": "b"]
        ours.noReply = false
        ours.notProcessed = true
        meta.envelopeExtension = ours
        #expect(try decode(try meta.encoded()) == meta)
    }

    @Test func randomMetasAreReadBack() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var meta = RpcMeta()
            let text = String(repeating: "字", count: .random(in: 0...300, using: &random))
            if Bool.random() {
                meta.request = RpcRequestMeta(
                    serviceName: text, methodName: "M",
                    timeoutMilliseconds: Bool.random() ? .random(in: .min ... .max) : nil)
            }
            if Bool.random() {
                meta.response = RpcResponseMeta(
                    errorCode: .random(in: .min ... .max), errorText: text)
            }
            meta.correlationID = .random(in: .min ... .max)
            meta.attachmentSize = .random(in: 0 ... .max)
            for index in 0..<Int.random(in: 0...Limits.rpcUserFields) {
                meta.userFields["key-\(index)"] = text
            }
            #expect(try decode(try meta.encoded()) == meta)
        }
    }

    @Test func aMissingRequiredFieldIsAnError() {
        // request {service_name} without method_name; stream_settings without stream_id.
        #expect(throws: WireError.self) { try decode(hex("0a03 0a0161")) }
        #expect(throws: WireError.self) { try decode(hex("4202 1001")) }
        #expect(throws: WireError.self) {
            try hex("1803").withUnsafeBytes { try StreamFrameMeta.decode($0) }
        }
    }

    @Test func aNegativeAttachmentSizeIsAnError() {
        #expect(throws: WireError.malformed("the attachment's size is negative")) {
            try decode(hex("28 ffffffffffffffffff01"))
        }
    }

    @Test func unknownFieldsAndForeignRequestIdentifiersAreSkipped() throws {
        // request_id twice as a message, field 200 of RpcMeta, then correlation 7.
        let meta = try decode(
            hex("0a10 0a0161 120162 3a03 0a016b 3a03 0a0176 | c20c 02 0801 | 2007"))
        #expect(meta.request == RpcRequestMeta(serviceName: "a", methodName: "b"))
        #expect(meta.correlationID == 7)
    }

    @Test func tooManyUserFieldsAreAnError() throws {
        let field = hex("4a04 0a00 1200")
        let many = Array(repeatElement(field, count: Limits.rpcUserFields + 1).joined())
        #expect(throws: WireError.self) { try decode(many) }
    }

    @Test func textThatIsNotUTF8IsAnError() {
        #expect(throws: WireError.self) { try decode(hex("4a06 0a01ff 120161")) }
    }

    @Test func aSmallMetaCannotUseMuchMemory() {
        // 32,768 empty fields of two bytes each would be structures of over 70 bytes each.
        let hostile = Array(repeatElement([0x4a, 0x00] as [UInt8], count: 32_768).joined())
        #expect(throws: WireError.tooLarge(limitBytes: 4 * hostile.count + 64 * 1_024)) {
            try decode(hostile)
        }
    }

    @Test func cutAndFlippedMetasNeverCrash() throws {
        var meta = RpcMeta()
        meta.request = RpcRequestMeta(serviceName: "a.B", methodName: "C", timeoutMilliseconds: 9)
        meta.userFields = ["k": "v"]
        meta.streamSettings = StreamSettings(streamID: 1, needFeedback: true, writable: true)
        meta.envelopeExtension = .announcement
        let bytes = try meta.encoded()
        for length in bytes.indices { _ = try? decode(Array(bytes[..<length])) }
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                _ = try? decode(flipped)
                _ = try? flipped.withUnsafeBytes { try StreamFrameMeta.decode($0) }
            }
        }
    }
}
