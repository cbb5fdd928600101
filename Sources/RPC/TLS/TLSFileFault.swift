import NIOSSL

/// Why files of certificates and keys cannot be used, in words that name the file.
enum TLSFileFault: Error, Hashable, CustomStringConvertible {
    /// The system does not open it.
    case unreadable(path: String, problem: String)
    /// It holds no certificate in PEM.
    case noCertificate(path: String)
    /// It holds no private key in PEM, or one that a passphrase locks.
    case noPrivateKey(path: String)
    /// The key is another certificate's.
    case doNotBelongTogether(certificate: String, key: String)

    var description: String {
        switch self {
        case .unreadable(let path, let problem): "\(path): \(problem)"
        case .noCertificate(let path): "\(path) holds no certificate in PEM"
        case .noPrivateKey(let path):
            "\(path) holds no private key in PEM, or a passphrase locks it"
        case .doNotBelongTogether(let certificate, let key):
            "\(key) is not the key of the certificate in \(certificate)"
        }
    }

    /// The certificates of a file, at least one; blocks while it reads.
    static func certificates(in path: String) throws(TLSFileFault) -> [NIOSSLCertificate] {
        try mayBeRead(path)
        guard let chain = try? NIOSSLCertificate.fromPEMFile(path), !chain.isEmpty else {
            throw .noCertificate(path: path)
        }
        return chain
    }

    /// The private key of a file; blocks while it reads.
    static func privateKey(in path: String) throws(TLSFileFault) -> NIOSSLPrivateKey {
        try mayBeRead(path)
        guard let key = try? NIOSSLPrivateKey(file: path, format: .pem) else {
            throw .noPrivateKey(path: path)
        }
        return key
    }

    private static func mayBeRead(_ path: String) throws(TLSFileFault) {
        if let problem = FileStamp.problem(ofReading: path) {
            throw .unreadable(path: path, problem: problem)
        }
    }
}
