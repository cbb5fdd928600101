import NIOCore

extension RPCServer {
    /// What a server holds at a moment.
    package struct Population: Hashable, Sendable {
        /// Connections that speak RPC.
        package var connections = 0
        /// Calls whose handler runs or whose last messages are still to be sent.
        package var calls = 0
        /// Streams with something to send.
        package var readyStreams = 0

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
                population.calls += part.calls
                population.readyStreams += part.readyStreams
            }
            return population
        }
    }
}
