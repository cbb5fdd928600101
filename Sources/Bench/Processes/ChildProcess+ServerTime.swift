import TollgateKernel

extension ChildProcess {
    /// Runs a round of calls to a server in this process, and adds what the server used of the
    /// processors for each of them.
    /// - Throws: what `body` throws; a ``Failure`` if the process has gone or nothing was counted.
    func addingServerTime(
        _ body: () async throws -> [String: Double]
    ) async throws -> [String: Double] {
        let before = Clocks.processorNanoseconds(of: identifier)
        var figures = try await body()
        guard let before, let after = Clocks.processorNanoseconds(of: identifier),
            let count = figures[Figure.count], count > 0
        else { throw Failure(.unavailable, "The server of what is measured has gone.") }
        figures[Figure.serverCPU] = Double(after - before) / 1_000 / count
        return figures
    }
}
