internal import COpenSSL
package import TollgateKernel

/// An X.509 certificate, as far as WeChat Pay's keys need it: its serial, its key, its dates.
///
/// No chain is checked: who to trust is decided by where a certificate came from.
package struct Certificate: Sendable {
    /// The serial number in upper-case hexadecimal, as WeChat Pay's headers carry it.
    package let serialNumber: String
    /// The key it certifies.
    package let publicKey: RSAPublicKey
    /// The moment it begins to be valid.
    package let notBefore: Timestamp
    /// The last moment it is valid.
    package let notAfter: Timestamp
    /// The PEM text it was read from.
    package let pem: String

    /// Reads a PEM text that begins with `BEGIN CERTIFICATE`.
    package init(pem: String) throws(CryptographyError) {
        let input = try MemoryText(pem)
        guard let certificate = PEM_read_bio_X509(input.pointer, nil, nil, nil) else {
            ERR_clear_error()
            throw .malformed("certificate")
        }
        defer { X509_free(certificate) }
        guard let key = X509_get_pubkey(certificate) else {
            ERR_clear_error()
            throw .malformed("certificate")
        }
        publicKey = RSAPublicKey(handle: try KeyHandle(taking: key))
        serialNumber = try Self.serialNumber(of: certificate)
        notBefore = try Self.moment(X509_get0_notBefore(certificate))
        notAfter = try Self.moment(X509_get0_notAfter(certificate))
        self.pem = pem
    }

    /// Makes a certificate for a key, signed by that key itself.
    ///
    /// - Parameters:
    ///   - commonName: at most 64 bytes, the subject's and the issuer's name.
    ///   - serial: 1 to 20 random bytes, the first between 0x01 and 0x7f (RFC 5280, 4.1.2.2).
    ///   - notBefore: its first moment, in whole seconds.
    ///   - notAfter: its last moment, in whole seconds.
    package static func selfSigned(
        by key: RSAPrivateKey, commonName: String, serial: [UInt8], notBefore: Timestamp,
        notAfter: Timestamp
    ) throws(CryptographyError) -> Certificate {
        guard (1...20).contains(serial.count), (0x01...0x7f).contains(serial[0]) else {
            throw .malformed("certificate serial")
        }
        let name = Array(commonName.utf8)
        guard (1...64).contains(name.count) else { throw .malformed("certificate name") }
        guard let certificate = X509_new() else { throw .takingQueue("X509_new") }
        defer { X509_free(certificate) }
        guard let number = BN_bin2bn(serial, Int32(serial.count), nil) else {
            throw .takingQueue("BN_bin2bn")
        }
        defer { BN_free(number) }
        let subject = X509_get_subject_name(certificate)
        guard X509_set_version(certificate, 2) == 1,
            BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil,
            ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(notBefore.seconds)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(notAfter.seconds)) != nil,
            X509_NAME_add_entry_by_txt(
                subject, "CN", MBSTRING_UTF8, name, Int32(name.count), -1, 0) == 1,
            X509_set_issuer_name(certificate, subject) == 1,
            X509_set_pubkey(certificate, key.handle.pointer) == 1,
            X509_sign(certificate, key.handle.pointer, Algorithm.sha256.pointer) > 0
        else { throw .takingQueue("self-signed certificate") }
        let output = try MemoryText()
        guard PEM_write_bio_X509(output.pointer, certificate) == 1 else {
            throw .takingQueue("PEM_write_bio_X509")
        }
        return try Certificate(pem: try output.contents())
    }

    private static func serialNumber(of certificate: OpaquePointer) throws(CryptographyError)
        -> String
    {
        guard let serial = X509_get0_serialNumber(certificate),
            let number = ASN1_INTEGER_to_BN(serial, nil)
        else { throw .takingQueue("certificate serial") }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { throw .takingQueue("BN_bn2hex") }
        defer { CRYPTO_free(text, #file, #line) }
        return String(cString: text)
    }

    private static func moment(_ time: UnsafePointer<ASN1_TIME>?) throws(CryptographyError)
        -> Timestamp
    {
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard let time, let epoch = ASN1_TIME_set(nil, 0) else { throw .takingQueue("ASN1_TIME") }
        defer { ASN1_TIME_free(epoch) }
        guard ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else {
            ERR_clear_error()
            throw .malformed("certificate date")
        }
        return Timestamp(seconds: Int64(days) * 86_400 + Int64(seconds))
    }
}
