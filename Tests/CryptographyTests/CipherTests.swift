import Cryptography
import Testing

struct CipherTests {
    /// Test cases 13 to 16 of the GCM specification (McGrew and Viega), with AES-256.
    @Test(arguments: [
        GCMVector(
            key: String(repeating: "00", count: 32), nonce: String(repeating: "00", count: 12),
            plaintext: "", associatedData: "", sealed: "530f8afbc74536b9a963b4f1c4cb738b"),
        GCMVector(
            key: String(repeating: "00", count: 32), nonce: String(repeating: "00", count: 12),
            plaintext: String(repeating: "00", count: 16), associatedData: "",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        GCMVector(
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            associatedData: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                + "76fc6ece0f4e1768cddf8853bb2d551b"),
    ])
    func `AES-256-GCM gives the published ciphertexts`(vector: GCMVector) throws {
        let key = try #require(Hexadecimal.decode(vector.key))
        let nonce = try #require(Hexadecimal.decode(vector.nonce))
        let plaintext = try #require(Hexadecimal.decode(vector.plaintext))
        let data = try #require(Hexadecimal.decode(vector.associatedData))
        let sealed = try AES256GCM.seal(plaintext, key: key, nonce: nonce, associatedData: data)
        #expect(Hexadecimal.encode(sealed) == vector.sealed)
        #expect(
            try AES256GCM.open(sealed, key: key, nonce: nonce, associatedData: data) == plaintext)
    }

    /// WeChat Pay's way of using it (payments reference, section 1.6).
    @Test(arguments: [
        (
            "transaction",
            "Eu6myr+6GaECeJdOZPZ6BX5fij2Vohspf9pbw6Eor54J6prefQGx4A8pw4Iiseaw8SDSwJlkDdmqkDsswI+ydLG"
                + "O42MIuqmo59EGjqNsmfIzdQ=="
        ),
        (
            "",
            "Eu6myr+6GaECeJdOZPZ6BX5fij2Vohspf9pbw6Eor54J6prefQGx4A8pw4Iiseaw8SDSwJlkDdmqkDsswI+ydLG"
                + "OsGb2p7tx74sGT4P37EwciQ=="
        ),
    ])
    func `a notification of WeChat Pay opens`(data: String, ciphertext: String) throws {
        let sealed = try #require(Base64.decode(ciphertext))
        let plaintext = try AES256GCM.open(
            sealed, key: Array("0123456789abcdef0123456789abcdef".utf8),
            nonce: Array("abcdefghijkl".utf8), associatedData: Array(data.utf8))
        #expect(
            String(decoding: plaintext, as: UTF8.self)
                == #"{"out_trade_no":"n1","trade_state":"SUCCESS","amount":{"total":1}}"#)
    }

    @Test
    func `GCM returns every message unchanged and refuses every changed bit`() throws {
        var random = SeededBytes(seed: 21)
        for length in [0, 1, 15, 16, 17, 64, 333] {
            let key = random.next(32)
            let nonce = random.next(12)
            let data = random.next(length % 29)
            let plaintext = random.next(length)
            let sealed = try AES256GCM.seal(plaintext, key: key, nonce: nonce, associatedData: data)
            #expect(
                try AES256GCM.open(sealed, key: key, nonce: nonce, associatedData: data)
                    == plaintext)
            for bit in 0..<(sealed.count * 8) {
                var changed = sealed
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: CryptographyError.authenticationFailed) {
                    try AES256GCM.open(changed, key: key, nonce: nonce, associatedData: data)
                }
            }
            #expect(throws: CryptographyError.authenticationFailed) {
                try AES256GCM.open(sealed, key: key, nonce: nonce, associatedData: data + [0])
            }
        }
    }

    @Test
    func `GCM refuses keys, nonces and tags of the wrong length`() {
        let key = [UInt8](repeating: 1, count: 32)
        let nonce = [UInt8](repeating: 2, count: 12)
        #expect(throws: CryptographyError.self) {
            try AES256GCM.seal([1], key: Array(key.dropLast()), nonce: nonce)
        }
        #expect(throws: CryptographyError.unsuitableNonce) {
            try AES256GCM.seal([1], key: key, nonce: nonce + [0])
        }
        #expect(throws: CryptographyError.authenticationFailed) {
            try AES256GCM.open([UInt8](repeating: 0, count: 15), key: key, nonce: nonce)
        }
    }

    /// Section F.2.5 of NIST SP 800-38A.
    @Test
    func `AES-256-CBC gives the published ciphertext`() throws {
        let key = try #require(
            Hexadecimal.decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
        let vector = try #require(Hexadecimal.decode("000102030405060708090a0b0c0d0e0f"))
        let plaintext = try #require(
            Hexadecimal.decode(
                "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                    + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"))
        let ciphertext = try AES256CBC.encrypt(plaintext, key: key, initializationVector: vector)
        #expect(
            Hexadecimal.encode(ciphertext)
                == "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
                + "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b")
        #expect(
            try AES256CBC.decrypt(ciphertext, key: key, initializationVector: vector) == plaintext)
    }

    @Test
    func `CBC returns whole blocks unchanged and refuses parts of blocks`() throws {
        var random = SeededBytes(seed: 33)
        for blocks in 0...20 {
            let key = random.next(32)
            let vector = random.next(16)
            let plaintext = random.next(blocks * 16)
            let sealed = try AES256CBC.encrypt(plaintext, key: key, initializationVector: vector)
            #expect(sealed.count == plaintext.count)
            #expect(
                try AES256CBC.decrypt(sealed, key: key, initializationVector: vector) == plaintext)
            #expect(throws: CryptographyError.unsuitableLength) {
                try AES256CBC.decrypt(sealed + [0], key: key, initializationVector: vector)
            }
        }
    }
}

/// One case of the GCM specification, in hexadecimal.
struct GCMVector: Sendable, CustomTestStringConvertible {
    var key: String
    var nonce: String
    var plaintext: String
    var associatedData: String
    var sealed: String

    var testDescription: String { "plaintext of \(plaintext.utf8.count / 2) bytes" }
}
