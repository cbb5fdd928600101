import NIOCore

extension RPCServer {
    /// What a server holds at a moment.
    package struct Population: Hashable, Sendable {
        /// Connections that are served, also those that have not said what they speak.
        package var openConnections = 0
        /// Connections that speak RPC, and those of HTTP that made a call.
        package var connections = 0
        /// Those of them that are not read from, because their peers do not read.
        package var heldBack = 0
        /// Connections that speak HTTP.
        package var httpConnections = 0
        /// Pages, credentials and JSON that are being seen to for connections that speak HTTP.
        package var errands = 0
        /// Calls whose handler runs or whose last messages are still to be sent.
        package var calls = 0
        /// Streams with something to send.
        package var readyStreams = 0
        /// Bytes that are counted: of strangers, of requests that are not whole or in work, of
        /// reads that those lie in, and of unread answers.
        package var bytes = 0

        /// Makes a count.
        package init() {}
    }

    /// What the server holds now; nothing if it does not run or is stopping.
    package var population: Population {
        get async throws {
            var population = Population()
            guard stopping.current == nil, let loops = loops.current else { return population }
            for loop in loops {
                let part = try await loop.eventLoop.submit { loop.population }.get()
                population.connections += part.connections
                population.heldBack += part.heldBack
                population.httpConnections += part.httpConnections
                population.errands += part.errands
                population.calls += part.calls
                population.readyStreams += part.readyStreams
            }
            population.openConnections = core.edge.connectionCount
            let bytes = core.edge.countedBytes
            population.bytes =
                bytes.unverified + bytes.inFlight + core.edge.unfinishedBytes
                + core.edge.pinnedBytes
            return population
        }
    }
}
