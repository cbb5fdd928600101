import TollgateClient
import TollgateKernel
import TollgateWire

/// Calls an echo server over one connection of the product's client, as its variant asks for.
struct EchoCaller: Sendable {
    /// What is sent: 64 bytes of text.
    static let message = String(repeating: "tollgate", count: 8)

    let variant: EchoVariant
    let client: TollgateClient

    /// One call, whose answer is compared with what was sent.
    func call() async throws {
        switch variant {
        case .bare:
            let sent = Self.encoded
            let answer = try await client.unaryBytes(Methods.EchoService.echo, sent)
            guard answer == sent else { throw Self.wrongAnswer }
        case .typed, .full:
            let answer = try await EchoServiceClient(client).echo(
                Example.EchoRequest(message: Self.message))
            guard answer.message == Self.message else { throw Self.wrongAnswer }
        }
    }

    /// The message as bytes: field 1, its length, its text.
    private static let encoded: [UInt8] = [0x0a, UInt8(message.utf8.count)] + Array(message.utf8)

    private static let wrongAnswer = Failure(
        .internalError, "An echo did not bring back what was sent.")
}
