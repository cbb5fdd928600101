import Synchronization

/// A stream that counts at its address until it has ended.
final class LeasedStream: IncomingStream {
    private let stream: any IncomingStream
    private let ended: Mutex<(@Sendable () -> Void)?>

    init(_ stream: any IncomingStream, ended: @escaping @Sendable () -> Void) {
        self.stream = stream
        self.ended = Mutex(ended)
    }

    deinit { end() }

    var trailers: [String: String] { stream.trailers }

    func next() async throws -> [UInt8]? {
        do {
            let message = try await stream.next()
            if message == nil { end() }
            return message
        } catch {
            end()
            throw error
        }
    }

    func cancel() {
        stream.cancel()
        end()
    }

    private func end() {
        let ended = ended.withLock { ended in
            defer { ended = nil }
            return ended
        }
        ended?()
    }
}
