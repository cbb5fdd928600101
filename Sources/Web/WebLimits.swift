/// The web tier's bounds, here because it sees nothing of the kernel: each with its reason.
enum WebLimits {
    /// The body of a callback: WeChat's own are below 8 KiB, and what is larger is refused unread.
    static let callbackBytes = 64 * 1_024

    /// The query of a callback: signatures and an openid take some 300 bytes.
    static let queryBytes = 2 * 1_024

    /// One signature header: an RSA signature of 4,096 bits takes 684 bytes.
    static let headerValueBytes = 2 * 1_024

    /// Signature headers of one request: five names, and room for the server to see repetitions.
    static let signatureHeaders = 16

    /// The time for an answer: WeChat gives up after five seconds.
    static let callbackMilliseconds: Int64 = 4_500

    /// The time for the server's sign of life: a health check that waits longer is no answer.
    static let healthMilliseconds: Int64 = 1_000
}
