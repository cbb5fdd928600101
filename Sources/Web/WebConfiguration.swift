/// Where the web tier listens and how long it waits.
package struct WebConfiguration: Hashable, Sendable {
    /// The address to listen on.
    package var host = "127.0.0.1"
    /// The port to listen on; 0 lets the kernel choose.
    package var port = 7_480
    /// How long a callback's answer may take, in milliseconds; at most WeChat's five seconds.
    package var callbackTimeoutMilliseconds = WebLimits.callbackMilliseconds

    /// Makes the usual configuration.
    package init() {}
}
