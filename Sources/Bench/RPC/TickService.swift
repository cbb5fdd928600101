import TollgateClient
import TollgateKernel
import TollgateRPC
import TollgateWire

/// A stream of messages at a steady pace, like an answer that is being written.
enum TickService {
    /// The pause between two messages, in milliseconds: 50 a second.
    static let pauseMilliseconds: Int64 = 20

    /// The method; the request's message says how many messages are wanted.
    static let ticks = MethodDescriptor(
        service: "example.TickService", name: "Ticks", access: .connection, roles: [],
        isIdempotent: true, defaultDeadlineMilliseconds: 120_000, streaming: .serverStreaming,
        request: Example.EchoRequest.descriptor, response: Example.EchoResponse.descriptor)

    /// The service: each message is due at its own moment after the call, so that a late one does
    /// not put off those after it.
    static var service: ServiceRegistration {
        ServiceRegistration(
            name: ticks.service,
            methods: [
                .serverStreaming(ticks) {
                    (request: Example.EchoRequest, _, stream: ServerStreamWriter<Tick>) in
                    guard let count = Int64(request.message), (1...1_000_000).contains(count) else {
                        throw Failure(.invalidRequest, "Say how many messages are wanted.")
                    }
                    let began = ContinuousClock.now
                    for number in 1...count {
                        try await Task.sleep(
                            until: began + .milliseconds(number * pauseMilliseconds),
                            tolerance: .zero)
                        try await stream.write(Tick(message: EchoCaller.message))
                    }
                }
            ])
    }

    /// A message of a stream.
    typealias Tick = Example.EchoResponse
}
