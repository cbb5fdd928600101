import Testing
import TollgateKernel
import Weixin

@Suite struct CallbackSignatureTests {
    @Test func `The published vector is signed alike`() throws {
        let signature = try CallbackSignature.make(
            token: "AAAAA", timestamp: "1714037059", nonce: "486452656")
        #expect(signature == "899cf89e464efb63f54ddac96b0a0a235f53aa78")
        #expect(
            CallbackSignature.isValid(
                signature, token: "AAAAA", timestamp: "1714037059", nonce: "486452656"))
        #expect(
            !CallbackSignature.isValid(
                signature, token: "AAAAB", timestamp: "1714037059", nonce: "486452656"))
        #expect(
            !CallbackSignature.isValid(
                "", token: "AAAAA", timestamp: "1714037059", nonce: "486452656"))
    }
}

@Suite struct MessageCipherTests {
    static let key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
    static let sealed =
        "pxDvIKtJjb6ivztGO70jStDOcOK7zj1dVx87PfHj1p7q6hZwvY+9zAevjRxlNsyEAZ/MyFTOhyVU629QFT+dug=="

    let cipher: MessageCipher

    init() throws {
        cipher = try MessageCipher(encodingAESKey: Self.key, appID: "wx49f0ab532d5d035a")
    }

    @Test func `The published vector is sealed, signed and opened alike`() throws {
        let sealed = try cipher.seal(
            Array("<xml><A>hi</A></xml>".utf8), random: Array("0123456789abcdef".utf8))
        #expect(sealed == Self.sealed)
        #expect(try cipher.open(sealed) == Array("<xml><A>hi</A></xml>".utf8))
        let signature = try CallbackSignature.make(
            token: "123456", timestamp: "1411525903", nonce: "461056294", sealed: sealed)
        #expect(signature == "3c70c46e0ca48dd04bf8055d43fdab93dc8338e1")
    }

    @Test(arguments: 0...100)
    func `Every length round-trips`(length: Int) throws {
        let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let sealed = try cipher.seal(message, random: [UInt8](repeating: 9, count: 16))
        #expect(try cipher.open(sealed) == message)
    }

    @Test func `Another appid, another key or a cut text does not open`() throws {
        let other = try MessageCipher(encodingAESKey: Self.key, appID: "wx49f0ab532d5d035b")
        #expect(throws: Failure.self) { try other.open(Self.sealed) }
        let otherKey = try MessageCipher(
            encodingAESKey: String(Self.key.reversed()), appID: "wx49f0ab532d5d035a")
        #expect(throws: Failure.self) { try otherKey.open(Self.sealed) }
        #expect(throws: Failure.self) { try cipher.open("") }
        #expect(throws: Failure.self) { try cipher.open(String(Self.sealed.dropLast(4))) }
        #expect(throws: Failure.self) { try cipher.open("!!!!") }
    }

    @Test func `A key of another shape is refused with a sentence`() {
        #expect(throws: Failure.self) { try MessageCipher(encodingAESKey: "short", appID: "wx") }
    }
}
