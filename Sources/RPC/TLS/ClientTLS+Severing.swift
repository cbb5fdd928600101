import NIOCore
import NIOSSL

extension ClientTLS {
    /// Closes a client's socket without taking leave of a server that does not answer the leave; on
    /// the event loop.
    static func sever(_ channel: any Channel) {
        let encryption = try? channel.pipeline.syncOperations.context(
            handlerType: NIOSSLClientHandler.self)
        // From there on it passes over the encryption, which would wait for the server's part.
        if let encryption {
            encryption.close(promise: nil)
        } else {
            channel.close(promise: nil)
        }
    }
}
