import TollgateRPC
public import TollgateWire

/// Where a caller puts the messages of a streamed request.
///
/// Messages leave in order. A slow server is waited for, so nothing piles up here.
public struct RequestWriter<Message: WireMessage>: Sendable {
    private let sink: StreamSink

    init(_ sink: StreamSink) { self.sink = sink }

    /// Sends one message; returns once it is queued, waiting while the server is behind.
    ///
    /// False if the server has answered already and wants no more.
    /// - Throws: ``TollgateError`` with which the server ended the call, or if the message cannot
    ///   be written; `CancellationError` if the task is cancelled or the call was left.
    @discardableResult
    public func write(_ message: Message) async throws -> Bool {
        do {
            return try await sink.write(message)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw TollgateError(RPCError(thrown: error))
        }
    }

    /// Says that nothing more comes; the server may go on answering.
    public func finish() { sink.finish() }
}
