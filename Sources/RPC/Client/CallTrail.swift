import Synchronization

/// Where the attempts of one call went, so that the next goes elsewhere.
package final class CallTrail: Sendable {
    private let visited: Mutex<[ServerAddress]> = Mutex([])

    /// Makes an empty trail.
    package init() {}

    /// The addresses, in order; one may stand there twice.
    package var addresses: [ServerAddress] { visited.withLock { $0 } }

    /// An attempt goes to this address.
    func visit(_ address: ServerAddress) { visited.withLock { $0.append(address) } }
}
