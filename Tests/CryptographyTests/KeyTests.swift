import Cryptography
import Testing
import TollgateKernel

struct KeyTests {
    @Test(arguments: [KeyFixtures.privateKey, KeyFixtures.traditionalKey])
    func `a signature is byte for byte the one the openssl command makes`(pem: String) throws {
        let key = try RSAPrivateKey(pem: pem)
        #expect(
            Base64.encode(try key.sign(Array(KeyFixtures.message.utf8))) == KeyFixtures.signature)
    }

    @Test
    func `a certificate gives its serial, dates and key`() throws {
        let certificate = try Certificate(pem: KeyFixtures.certificate)
        #expect(certificate.serialNumber == "5E1B01020304050607080900AABBCCDDEEFF0011")
        #expect(certificate.notBefore.seconds == KeyFixtures.certificateSeconds.first)
        #expect(certificate.notAfter.seconds == KeyFixtures.certificateSeconds.last)
        let signature = try #require(Base64.decode(KeyFixtures.signature))
        #expect(
            try certificate.publicKey.isValid(
                signature: signature, for: Array(KeyFixtures.message.utf8)))
    }

    @Test
    func `a changed message or signature is not valid`() throws {
        let key = try RSAPublicKey(pem: KeyFixtures.publicKey)
        let message = Array(KeyFixtures.message.utf8)
        let signature = try #require(Base64.decode(KeyFixtures.signature))
        #expect(try key.isValid(signature: signature, for: message))
        for bit in 0..<(message.count * 8) {
            var changed = message
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try !key.isValid(signature: signature, for: changed))
        }
        for bit in stride(from: 0, to: signature.count * 8, by: 7) {
            var changed = signature
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try !key.isValid(signature: changed, for: message))
        }
        #expect(try !key.isValid(signature: [], for: message))
        #expect(try !key.isValid(signature: signature + [0], for: message))
        #expect(try !key.isValid(signature: signature, for: []))
    }

    @Test
    func `a fresh key survives its PEM text and signs what its public half accepts`() throws {
        let key = try RSAPrivateKey.generate()
        let copy = try RSAPrivateKey(pem: try key.pem())
        let published = try RSAPublicKey(pem: try key.publicKey.pem())
        for message in [[], Array("订单".utf8)] as [[UInt8]] {
            let signature = try copy.sign(message)
            #expect(signature.count == 256)
            #expect(try published.isValid(signature: signature, for: message))
        }
    }

    @Test
    func `a self-signed certificate reads back as it was made`() throws {
        let key = try RSAPrivateKey.generate()
        let serial: [UInt8] = [0x5e] + (1...19).map { UInt8($0) }
        // Beyond 2049 the date's encoding changes from two to four digits of the year.
        let last = Timestamp(seconds: 2_600_000_000)
        let made = try Certificate.selfSigned(
            by: key, commonName: "Tollgate 沙箱", serial: serial,
            notBefore: Timestamp(seconds: 1_700_000_000), notAfter: last)
        let read = try Certificate(pem: made.pem)
        #expect(read.serialNumber == "5E0102030405060708090A0B0C0D0E0F10111213")
        #expect(read.notBefore == Timestamp(seconds: 1_700_000_000))
        #expect(read.notAfter == last)
        let signature = try key.sign([1, 2, 3])
        #expect(try read.publicKey.isValid(signature: signature, for: [1, 2, 3]))
    }

    @Test(arguments: [
        "", "nothing", KeyFixtures.publicKey, KeyFixtures.certificate, KeyFixtures.encryptedKey,
        String(KeyFixtures.privateKey.dropLast(100)),
    ])
    func `a text that holds no readable private key is refused`(pem: String) {
        #expect(throws: CryptographyError.malformed("private key")) { try RSAPrivateKey(pem: pem) }
    }

    @Test(arguments: [KeyFixtures.shortKey, KeyFixtures.ellipticKey])
    func `keys too short or of another kind are refused`(pem: String) {
        #expect {
            try RSAPrivateKey(pem: pem)
        } throws: { error in
            guard case .unsuitableKey = error as? CryptographyError else { return false }
            return true
        }
    }

    @Test
    func `texts longer than any key are refused unread`() {
        #expect(throws: CryptographyError.unsuitableLength) {
            try Certificate(pem: String(repeating: "a", count: Limits.pemBytes + 1))
        }
    }

    @Test
    func `a private key does not print itself`() throws {
        let key = try RSAPrivateKey(pem: KeyFixtures.privateKey)
        #expect("\(key)" == "RSAPrivateKey")
    }

    @Test
    func `certificates refuse serials and names out of bounds`() throws {
        let key = try RSAPrivateKey(pem: KeyFixtures.privateKey)
        for (name, serial) in [("a", []), ("a", [0x80]), ("", [1]), ("a", [0, 1])]
            as [(String, [UInt8])]
        {
            #expect(throws: CryptographyError.self) {
                try Certificate.selfSigned(
                    by: key, commonName: name, serial: serial,
                    notBefore: Timestamp(seconds: 0), notAfter: Timestamp(seconds: 1))
            }
        }
    }

    @Test
    func `one key signs on many threads at once`() async throws {
        let key = try RSAPrivateKey(pem: KeyFixtures.privateKey)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    let message = Array("message \(number)".utf8)
                    let signature = try key.sign(message)
                    return try key.publicKey.isValid(signature: signature, for: message)
                }
            }
            for try await valid in group { #expect(valid) }
        }
    }
}
