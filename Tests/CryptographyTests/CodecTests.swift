import Cryptography
import Testing

struct CodecTests {
    /// Section 10 of RFC 4648.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 gives the published texts`(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(plain.utf8))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9v\n", " Zm9", "Zm9v Zm9v", "Zg==Zg==", "Z===",
        "Zm=v", "Zm9-", "Zm9_", "码码", "Zm9v====",
    ])
    func `base64 refuses what an encoder would not write`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test
    func `trailing bits are refused unless told to ignore them`() {
        #expect(Base64.decode("Zh==") == nil)
        #expect(Base64.decode("Zm9=") == nil)
        #expect(Base64.decode("Zh==", trailingBits: .ignored) == [0x66])
        #expect(Base64.decode("Zm9=", trailingBits: .ignored) == [0x66, 0x6f])
    }

    @Test
    func `both codecs return random bytes of every length unchanged`() {
        var random = SeededBytes(seed: 7)
        for length in 0...300 {
            let bytes = random.next(length)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Hexadecimal.decode(Hexadecimal.encode(bytes)) == bytes)
        }
    }

    @Test
    func `hexadecimal reads both letter cases and refuses the rest`() {
        #expect(Hexadecimal.encode([0x00, 0x9f, 0xff]) == "009fff")
        #expect(Hexadecimal.decode("009FfF") == [0x00, 0x9f, 0xff])
        #expect(Hexadecimal.decode("0") == nil)
        #expect(Hexadecimal.decode("0g") == nil)
        #expect(Hexadecimal.decode("+1") == nil)
        #expect(Hexadecimal.decode("é") == nil)
    }
}
