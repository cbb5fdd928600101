import Foundation
import Gateways
import Synchronization

/// A server of plain sockets on a port the kernel chooses.
///
/// A test decides every byte and every pause. Each connection has a thread: nothing here runs on
/// Swift's own pool.
final class RawServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let acceptedCount = Mutex(0)
    private let isStopped = Mutex(false)

    var url: String { "http://127.0.0.1:\(port)" }
    /// How many connections were accepted.
    var connections: Int { acceptedCount.withLock { $0 } }

    init(_ serve: @escaping @Sendable (RawConnection) -> Void) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, size) == 0 && listen(listener, 256) == 0
                    && getsockname(listener, pointer, &size) == 0
            }
        }
        guard bound else { throw POSIXError(.EADDRNOTAVAIL) }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [listener, self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else {
                    guard isStopped.withLock({ $0 }) else { continue }
                    Foundation.close(listener)
                    return
                }
                acceptedCount.withLock { $0 += 1 }
                Thread.detachNewThread {
                    let connection = RawConnection(descriptor)
                    serve(connection)
                    connection.close()
                }
            }
        }
    }

    /// Stops accepting; a second time does nothing.
    ///
    /// The thread that accepts closes the listener: closed here, its number could be the listener
    /// of another server by the time that thread asks again, and it would take that one's clients.
    func stop() {
        isStopped.withLock { stopped in
            guard !stopped else { return }
            stopped = true
            shutdown(listener, Int32(SHUT_RDWR))
        }
    }
}

/// One accepted connection.
final class RawConnection: Sendable {
    private let descriptor: Int32
    private let isClosed = Mutex(false)

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    /// Head and body of the next request; nil if the peer closed.
    func readRequest() -> RawRequest? {
        var bytes: [UInt8] = []
        var request: RawRequest?
        while true {
            if request == nil { request = RawRequest(head: bytes) }
            if let request, bytes.count >= request.headBytes + request.bodyBytes {
                return RawRequest(
                    head: bytes, body: Array(bytes[request.headBytes...]))
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    /// Sends all bytes; false if the peer has closed.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends an answer with its length.
    @discardableResult
    func answer(
        _ status: Int, type: String = "application/json", _ body: String, headers: String = ""
    ) -> Bool {
        send(
            "HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }

    /// Waits until the peer closes; false if it did not in that time.
    func waitForClose(milliseconds: Int32) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, milliseconds) > 0 else { return false }
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, 0) <= 0
    }

    func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1_000) }

    func close() {
        guard
            isClosed.withLock({ closed in
                defer { closed = true }
                return !closed
            })
        else { return }
        Foundation.close(descriptor)
    }
}

/// A request as it came.
struct RawRequest: Sendable {
    var line: String
    var headers: [(name: String, value: String)]
    var headBytes: Int
    var body: [UInt8]

    var bodyBytes: Int { header("content-length").flatMap { Int($0) } ?? 0 }
    var path: String {
        let parts = line.split(separator: " ")
        return parts.count > 1 ? String(parts[1]) : ""
    }
    var method: String { String(line.prefix { $0 != " " }) }

    init?(head bytes: [UInt8], body: [UInt8] = []) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        var lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        line = lines.removeFirst()
        headers = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (
                line[..<colon].lowercased(),
                line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            )
        }
        headBytes = text[..<end.upperBound].utf8.count
        self.body = body
    }

    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Runs a body with transfers that are shut down after it, whatever happens.
@discardableResult
func withTransfers<Value>(
    _ configuration: HTTPTransfers.Configuration = HTTPTransfers.Configuration(),
    _ body: (HTTPTransfers) async throws -> Value
) async throws -> Value {
    let transfers = try HTTPTransfers.start(configuration)
    do {
        let value = try await body(transfers)
        await transfers.shutdown()
        return value
    } catch {
        await transfers.shutdown()
        throw error
    }
}
