package import TollgateWire

/// Where a streaming handler puts its messages.
///
/// Messages leave in order. A slow reader is waited for, so nothing piles up here.
package struct ServerStreamWriter<Message: WireMessage>: Sendable {
    private let send: @Sendable (Message) async throws -> Void

    /// Makes a writer over any sink; tests of handlers collect with it.
    package init(_ send: @escaping @Sendable (Message) async throws -> Void) {
        self.send = send
    }

    /// Sends one message; returns once it is queued, waiting while the reader is behind.
    /// - Throws: `CancellationError` once the caller has gone or the deadline has passed;
    ///   ``WireError`` if the message cannot be written.
    package func write(_ message: Message) async throws {
        try await send(message)
    }
}
