internal import Hummingbird
internal import Logging
internal import NIOCore
internal import TollgateKernel

/// What a route knows about its request besides the request: the connection too, so that a switch
/// can close it and a stream can notice that its client left.
struct SandboxContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

extension Request {
    /// The whole body.
    ///
    /// - Throws: an answer of 413 if it is larger than the sandbox takes.
    func wholeBody() async throws -> [UInt8] {
        let buffer = try await body.collect(upTo: Limits.sandboxRequestBytes)
        return Array(buffer.readableBytesView)
    }
}

extension Response {
    /// An answer of JSON.
    static func json(_ value: JSONValue, status: Int = 200, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json; charset=utf-8"
        return Response(
            status: .init(code: status), headers: headers,
            body: .init(byteBuffer: ByteBuffer(string: value.text)))
    }
}
