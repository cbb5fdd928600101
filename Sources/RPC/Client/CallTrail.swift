import Synchronization

/// Where the attempts of one call went, so that the next goes elsewhere.
package final class CallTrail: Sendable {
    /// Most calls go to one address, which costs no memory of its own here.
    private struct Visited {
        var first: ServerAddress?
        var later: [ServerAddress] = []
    }

    private let visited = Mutex(Visited())

    /// Makes an empty trail.
    package init() {}

    /// The addresses, in order; one may stand there twice.
    package var addresses: [ServerAddress] {
        visited.withLock { visited in visited.first.map { [$0] + visited.later } ?? [] }
    }

    /// An attempt goes to this address.
    func visit(_ address: ServerAddress) {
        visited.withLock { visited in
            if visited.first == nil {
                visited.first = address
            } else {
                visited.later.append(address)
            }
        }
    }
}
