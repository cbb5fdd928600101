/// What a client's transport holds at a moment; nothing once it is closed.
package struct ClientPopulation: Hashable, Sendable {
    /// Sockets, those that a server is leaving included.
    package var connections = 0
    /// Connections that are being made.
    package var attempts = 0
    /// Tasks that wait for a connection or an address.
    package var waiters = 0
    /// Calls and streams without their end.
    package var calls = 0
    /// Streams with something to send.
    package var readyStreams = 0
    /// Bytes that are gathered and not handed to a socket, or that streams handed to one which has
    /// not taken them.
    package var queuedBytes = 0

    /// Makes an empty count.
    package init() {}

    /// Counts what another part holds as well.
    package mutating func add(_ other: ClientPopulation) {
        connections += other.connections
        attempts += other.attempts
        waiters += other.waiters
        calls += other.calls
        readyStreams += other.readyStreams
        queuedBytes += other.queuedBytes
    }

    /// Whether nothing goes on; connections may stay for the next call.
    package var isIdle: Bool {
        var rest = self
        rest.connections = 0
        return rest == ClientPopulation()
    }
}
