import Synchronization
import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

/// Streams that go on until they are cancelled, and a method that tells when that was seen.
enum CancelService {
    /// Answers with the request's message once, then waits to be cancelled.
    static let wait = method("Wait", .serverStreaming)

    /// Tells when the handler of the stream with this message was cancelled, on the machine's
    /// monotonic clock, in nanoseconds; once.
    static let seen = method("Seen", .unary)

    private static func method(
        _ name: String, _ streaming: MethodDescriptor.Streaming
    ) -> MethodDescriptor {
        MethodDescriptor(
            service: "example.CancelService", name: name, access: .connection, roles: [],
            isIdempotent: true, defaultDeadlineMilliseconds: 120_000, streaming: streaming,
            request: Example.EchoRequest.descriptor, response: Example.EchoResponse.descriptor)
    }

    /// The service, with a memory of its own.
    static func service() -> ServiceRegistration {
        let moments = Moments()
        return ServiceRegistration(
            name: wait.service,
            methods: [
                .serverStreaming(wait) {
                    (
                        request: Example.EchoRequest, _,
                        stream: ServerStreamWriter<Example.EchoResponse>
                    ) in
                    try await stream.write(Example.EchoResponse(message: request.message))
                    do {
                        try await Task.sleep(for: .seconds(120))
                    } catch {
                        moments.note(request.message, Clocks.monotonicNanoseconds())
                        throw error
                    }
                },
                .unary(seen) { (request: Example.EchoRequest, _) in
                    while true {
                        if let moment = moments.take(request.message) {
                            return Example.EchoResponse(message: "\(moment)")
                        }
                        try await Task.sleep(for: .milliseconds(1))
                    }
                },
            ])
    }

    /// When handlers saw their cancel, until somebody asks.
    private final class Moments: Sendable {
        private let moments: Mutex<[String: Int64]> = Mutex([:])

        func note(_ name: String, _ nanoseconds: Int64) {
            moments.withLock { $0[name] = nanoseconds }
        }

        func take(_ name: String) -> Int64? { moments.withLock { $0.removeValue(forKey: name) } }
    }
}
