import Cryptography
import Testing
import TollgateKernel
import Weixin

/// Texts sealed under the right key by someone who does not keep to the form, and broken XML.
@Suite struct HostilePushTests {
    private static let encodingAESKey = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
    private static let appID = "wx49f0ab532d5d035a"

    /// Bytes that mean something to a reader of XML or of UTF-8, and some that do not.
    private static let telling: [UInt8] =
        Array("\u{0}\u{1}\t\n !\"#&'/0:;<=>?A[]x".utf8) + [
            0x7f, 0x80, 0xb7, 0xc0, 0xc3, 0xe4, 0xff,
        ]

    private let key: [UInt8]
    private let cipher: MessageCipher

    init() throws {
        key = try #require(Base64.decode(Self.encodingAESKey + "=", trailingBits: .ignored))
        cipher = try MessageCipher(encodingAESKey: Self.encodingAESKey, appID: Self.appID)
    }

    /// Seals a text as it is: random bytes, length, message, appid and fill are the caller's.
    private func seal(_ text: [UInt8]) throws -> String {
        Base64.encode(
            try AES256CBC.encrypt(text, key: key, initializationVector: Array(key.prefix(16))))
    }

    /// 64 bytes before the fill: 16 random ones, the length, 26 of message, the appid.
    private func text(length: UInt32 = 26, appID: String = appID) -> [UInt8] {
        var text = [UInt8](repeating: 9, count: 16)
        for shift in [24, 16, 8, 0] {
            text.append(UInt8(truncatingIfNeeded: length >> UInt32(shift)))
        }
        return text + [UInt8](repeating: UInt8(ascii: "m"), count: 26) + Array(appID.utf8)
    }

    private func fill(_ byte: UInt8, count: Int = 32) -> [UInt8] {
        [UInt8](repeating: byte, count: count)
    }

    @Test func `A text in the right form opens`() throws {
        #expect(text().count == 64)
        let message = try cipher.open(try seal(text() + fill(32)))
        #expect(message == [UInt8](repeating: UInt8(ascii: "m"), count: 26))
    }

    @Test func `A fill of another size or of mixed bytes is refused`() throws {
        for byte in UInt8.min...UInt8.max where byte != 32 {
            let sealed = try seal(text() + fill(byte))
            #expect(throws: Failure.self) { try cipher.open(sealed) }
        }
        for place in 0..<31 {
            var mixed = fill(32)
            mixed[place] = 31
            let sealed = try seal(text() + mixed)
            #expect(throws: Failure.self) { try cipher.open(sealed) }
        }
    }

    @Test(arguments: [0, 25, 27, 44, 45, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as [UInt32])
    func `A length that does not leave the appid is refused`(length: UInt32) throws {
        let sealed = try seal(text(length: length) + fill(32))
        #expect(throws: Failure.self) { try cipher.open(sealed) }
    }

    @Test func `Texts too short to hold a length are refused`() throws {
        for count in [16, 32] {
            let sealed = try seal(fill(UInt8(count), count: count))
            #expect(throws: Failure.self) { try cipher.open(sealed) }
        }
    }

    @Test func `Every cut and every changed byte of a push is read or refused`() throws {
        let xml = Array(PushMessageTests.text.utf8)
        for end in 0..<xml.count {
            #expect(throws: Failure.self) { try PushMessage(xml: Array(xml[..<end])) }
        }
        var refused = 0
        for place in xml.indices {
            for byte in Self.telling {
                var changed = xml
                changed[place] = byte
                do throws(Failure) {
                    let message = try PushMessage(xml: changed)
                    #expect(message.fields.count <= 6)
                } catch {
                    #expect(error.code == .invalidRequest)
                    refused += 1
                }
            }
        }
        #expect(refused > xml.count)
    }

    @Test(arguments: [
        "<xml a=\"b\"></xml>", "<xml><a:b xmlns:a=\"c\">1</a:b></xml>", "<xml><a:b>1</a:b></xml>",
        "<xml xmlns=\"a\"></xml>", "<xml><!-- a --></xml>", "<xml><?a b?></xml>",
        "<xml><A></A ></xml>", "<xml><A\u{a0}>1</A\u{a0}></xml>", "<xml><码>1</码></xml>",
        "<xml><![CDATA[a</xml>", "<xml><!DOCTYPE a></xml>", "<xml>&#0;</xml>",
        "<xml>&#xd800;</xml>",
        "<xml><A>&#x110000;</A></xml>", "<?xml version=\"1.0\" encoding=\"gbk\"?><xml></xml>",
        "<?xml version=\"1.0\"", "<xml><></></xml>", "<xml></></xml>", "<xml><1>a</1></xml>",
    ])
    func `Forms of XML that no push has are refused`(xml: String) {
        #expect(throws: Failure.self) { try PushMessage(xml: Array(xml.utf8)) }
    }

    /// Foundation's parser traps on the first of these.
    @Test(
        arguments: [
            [0x3c, 0x80, 0x3e, 0x31, 0x3c, 0x2f, 0x80, 0x3e], [0x3c, 0x41, 0xff, 0x3e],
            [0x3c, 0x41, 0x3e, 0xc0, 0x80, 0x3c, 0x2f, 0x41, 0x3e],
            [0x3c, 0x41, 0x3e, 0xed, 0xa0, 0x80, 0x3c, 0x2f, 0x41, 0x3e],
        ] as [[UInt8]])
    func `Bytes that are no UTF-8 are refused`(inside: [UInt8]) {
        let xml = Array("<xml>".utf8) + inside + Array("</xml>".utf8)
        #expect(throws: Failure.self) { try PushMessage(xml: xml) }
    }

    @Test func `A declaration of UTF-8, empty elements and references are read`() throws {
        let xml =
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            + "<xml><A/><B>&lt;&#20320;&gt;</B><C><![CDATA[<!-- ]] > -->]]></C></xml>"
        let message = try PushMessage(xml: Array(xml.utf8))
        #expect(message.fields == ["A": "", "B": "<你>", "C": "<!-- ]] > -->"])
    }

    @Test func `More fields than any push has are refused`() {
        let fields = (0...Limits.pushFields).map { "<A\($0)>1</A\($0)>" }.joined()
        #expect(throws: Failure.self) { try PushMessage(xml: Array("<xml>\(fields)</xml>".utf8)) }
    }

    @Test func `An event without sender, time or name has no key to know it by`() throws {
        for missing in ["FromUserName", "CreateTime", "Event"] {
            let fields = ["FromUserName", "CreateTime", "Event"].filter { $0 != missing }
                .map { "<\($0)>1</\($0)>" }.joined()
            let message = try PushMessage(xml: Array("<xml>\(fields)<MsgId></MsgId></xml>".utf8))
            #expect(message.deduplicationKey == nil)
        }
    }
}
