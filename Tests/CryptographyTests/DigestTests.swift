import Cryptography
import Testing

/// Vectors of FIPS 180-4 (examples by NIST) and RFC 4231.
struct DigestTests {
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
    ])
    func `SHA-1 gives the published digests`(text: String, digest: String) throws {
        #expect(Hexadecimal.encode(try SHA1.hash(Array(text.utf8))) == digest)
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func `SHA-256 gives the published digests`(text: String, digest: String) throws {
        #expect(Hexadecimal.encode(try SHA256.hash(text)) == digest)
    }

    @Test
    func `a context that is used again remembers nothing`() throws {
        let hasher = try SHA256.Hasher()
        for text in ["abc", "", "abc", String(repeating: "x", count: 1_000), "abc"] {
            let bytes = Array(text.utf8)
            #expect(try hasher.hash(bytes) == SHA256.hash(bytes))
        }
    }

    @Test
    func `a million letters hash as published`() throws {
        let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        #expect(
            Hexadecimal.encode(try SHA256.hash(letters))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        #expect(
            Hexadecimal.encode(try SHA1.hash(letters))
                == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
    }

    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), Hexadecimal.encode(Array("Hi There".utf8)),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Hexadecimal.encode(Array("Jefe".utf8)),
            Hexadecimal.encode(Array("what do ya want for nothing?".utf8)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131),
            Hexadecimal.encode(
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        // No key and no message: HMAC_SHA256("", "") as widely published.
        ("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
    func `HMAC-SHA256 gives the published codes`(key: String, message: String, code: String) throws
    {
        let key = try #require(Hexadecimal.decode(key))
        let message = try #require(Hexadecimal.decode(message))
        #expect(Hexadecimal.encode(try HMACSHA256.authenticate(message, key: key)) == code)
    }

    @Test
    func `constant-time comparison agrees with equality`() {
        #expect(ConstantTime.areEqual([], []))
        #expect(ConstantTime.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2]))
        #expect(ConstantTime.areEqual("码", "码"))
        #expect(!ConstantTime.areEqual("a", "b"))
    }
}
