internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import TollgateKernel

/// Why an outgoing call has no answer.
package enum OutgoingHTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not an `http://host[:port]/…` address.
    case unsuitableAddress(String)
    /// Nobody listens there, or the connection broke before the answer was whole.
    case unreachable(String)
    /// The answer was not whole in time.
    case timedOut

    package var description: String {
        switch self {
        case .unsuitableAddress(let address): "not an http:// address: \(address)"
        case .unreachable(let reason): reason
        case .timedOut: "no answer in time"
        }
    }
}

/// An HTTP request that the sandbox, or a caller of its control interface, sends.
struct OutgoingRequest: Sendable {
    var method = "POST"
    var url: String
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
}

/// The whole answer to an ``OutgoingRequest``.
struct OutgoingResponse: Sendable {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: [UInt8]

    /// The first value of a header, in any letter case.
    func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// A small HTTP/1.1 client without TLS, one connection a request: what the sandbox talks to stands
/// on the same machine.
enum OutgoingHTTP {
    /// Sends a request and waits for the whole answer.
    static func send(_ request: OutgoingRequest, timeoutMilliseconds: Int64)
        async throws -> OutgoingResponse
    {
        let address = try Address(request.url)
        return try await withThrowingTaskGroup(of: OutgoingResponse?.self) { group in
            group.addTask { try await exchange(request, with: address) }
            group.addTask {
                try await Task.sleep(for: .milliseconds(timeoutMilliseconds))
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let response = first else {
                throw OutgoingHTTPError.timedOut
            }
            return response
        }
    }

    /// Where a request goes.
    struct Address: Hashable, Sendable {
        var host: String
        var port: Int
        /// Path and query, exactly as in the address.
        var target: String

        init(_ url: String) throws(OutgoingHTTPError) {
            guard url.hasPrefix("http://"), url.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else { throw .unsuitableAddress(url) }
            let rest = url.dropFirst("http://".count)
            let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
            let authority = rest[..<end]
            let suffix = rest[end...].prefix { $0 != "#" }
            target = suffix.hasPrefix("/") ? String(suffix) : "/" + suffix
            if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
                guard let number = UInt16(authority[authority.index(after: colon)...]) else {
                    throw .unsuitableAddress(url)
                }
                port = Int(number)
                host = String(authority[..<colon])
            } else {
                port = 80
                host = String(authority)
            }
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
            guard !host.isEmpty else { throw .unsuitableAddress(url) }
        }
    }

    private static func exchange(_ request: OutgoingRequest, with address: Address)
        async throws -> OutgoingResponse
    {
        do {
            let connection = try await connect(to: address)
            return try await connection.executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: parts(of: request, to: address))
                for try await response in inbound { return OutgoingResponse(response) }
                throw OutgoingHTTPError.unreachable("the connection was closed without an answer")
            }
        } catch let error as OutgoingHTTPError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw OutgoingHTTPError.unreachable(reason(error, address))
        }
    }

    /// Why a connection was not made or broke, without the names of the network library's types.
    private static func reason(_ error: any Error, _ address: Address) -> String {
        let place = "\(address.host):\(address.port)"
        let errors = (error as? NIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
        if errors.contains(where: { ($0 as? IOError)?.errnoCode == ECONNREFUSED }) {
            return "nobody listens on \(place)"
        }
        guard error is NIOConnectionError else { return "the connection to \(place) broke" }
        return "no connection to \(place) could be made"
    }

    private static func connect(to address: Address) async throws
        -> NIOAsyncChannel<NIOHTTPClientResponseFull, HTTPClientRequestPart>
    {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(
                        NIOHTTPClientResponseAggregator(
                            maxContentLength: Limits.sandboxResponseBytes))
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private static func parts(of request: OutgoingRequest, to address: Address)
        -> [HTTPClientRequestPart]
    {
        var headers = HTTPHeaders(request.headers.map { ($0.name, $0.value) })
        let isDefaultPort = address.port == 80
        headers.replaceOrAdd(
            name: "Host", value: isDefaultPort ? address.host : "\(address.host):\(address.port)")
        headers.replaceOrAdd(name: "Connection", value: "close")
        if !request.body.isEmpty || request.method != "GET" {
            headers.replaceOrAdd(name: "Content-Length", value: String(request.body.count))
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: address.target,
            headers: headers)
        return [.head(head), .body(.byteBuffer(ByteBuffer(bytes: request.body))), .end(nil)]
    }
}

extension OutgoingResponse {
    init(_ response: NIOHTTPClientResponseFull) {
        self.init(
            status: Int(response.head.status.code),
            headers: response.head.headers.map { (name: $0.name, value: $0.value) },
            body: response.body.map { Array($0.readableBytesView) } ?? [])
    }
}
