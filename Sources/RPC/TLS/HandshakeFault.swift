import NIOSSL

/// Why no encrypted connection came about, in a sentence for whoever set it up.
enum HandshakeFault {
    /// The sentence, without its full stop; nil if the error is none of encryption.
    ///
    /// `name` is what the server's certificate has to bear.
    static func sentence(_ error: any Error, at place: String, name: String) -> String? {
        switch error {
        // What is wrong with a file is not the server's doing.
        case let fault as TLSFileFault:
            return "No encrypted connection to \(place) can be made: \(fault)"
        case HandshakeWatch.Cut.silent: return "\(place) does not answer in TLS"
        case HandshakeWatch.Cut.closed: return notTLS(place)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "The certificate of \(place) is for another name than \(name), which was called"
        case NIOSSLError.uncleanShutdown: return notTLS(place)
        case NIOSSLError.handshakeFailed(let reason):
            // BoringSSL tells its reasons as text alone.
            let text = "\(reason)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return "The certificate of \(place) is not trusted: it has expired, or none of the "
                    + "authorities that were given has signed it"
            }
            if text.contains("WRONG_VERSION_NUMBER") || text.contains("EOF during handshake") {
                return notTLS(place)
            }
            return "No encrypted connection to \(place) could be made (\(text))"
        default: return nil
        }
    }

    private static func notTLS(_ place: String) -> String {
        "\(place) closed the connection where TLS begins: it does not speak TLS, or is no Tollgate "
            + "server"
    }
}
