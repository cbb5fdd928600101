import NIOCore
import NIOHTTP1
import TollgateKernel
import TollgateWire

/// What an HTTP request must look like before anything is done for it.
///
/// A page in somebody's browser can make that browser send requests here. It cannot set the Host
/// of another name that points here, leave out its Origin, or send JSON without asking first, which
/// nobody allows it; and it does not know the credential.
enum HTTPGuard {
    /// Whether the request names this server as its host.
    static func isOwnHost(
        _ head: HTTPRequestHead, local: SocketAddress?, names: Set<String>
    ) -> Bool {
        let hosts = head.headers["host"]
        guard hosts.count == 1, let host = hosts.first else { return false }
        guard let local, let ip = local.ipAddress, let port = local.port else {
            // Over a Unix socket there is no address that a name could be made to point at.
            return host == "localhost"
        }
        var own: Set<String> = ["\(ip):\(port)", "[\(ip)]:\(port)"]
        if ListeningAddress.isLoopback(ip) { own.insert("localhost:\(port)") }
        if own.contains(host) { return true }
        return names.contains { host == $0 || host == "\($0):\(port)" }
    }

    /// Whether the request's length is said twice, so that two servers may see two requests in it.
    static func isAmbiguous(_ head: HTTPRequestHead) -> Bool {
        let lengths = head.headers["content-length"].count
        let codings = head.headers["transfer-encoding"].count
        return lengths > 1 || codings > 1 || (lengths == 1 && codings == 1)
    }

    /// What a call's request lacks; nil if it lacks nothing.
    static func refusal(of head: HTTPRequestHead) -> HTTPFailure? {
        if !head.headers["origin"].isEmpty {
            return HTTPFailure(
                status: 403, code: .forbidden,
                "Calls from web pages are not taken; call from a "
                    + "server, without an Origin header.")
        }
        let types = head.headers["content-type"]
        guard types.count == 1, isJSON(types[0]) else {
            return HTTPFailure(
                status: 415, code: .invalidRequest,
                "Calls are JSON: send Content-Type: "
                    + "application/json.")
        }
        if head.headers["content-encoding"].contains(where: { $0 != "identity" }) {
            return HTTPFailure(
                status: 415, code: .invalidRequest, "Send the body without a content encoding.")
        }
        if let length = head.headers["content-length"].first.flatMap(Int.init),
            length > Limits.rpcHTTPBodyBytes
        {
            return .tooLarge(Limits.rpcHTTPBodyBytes)
        }
        return nil
    }

    private static func isJSON(_ type: String) -> Bool {
        let parts = type.lowercased().split(separator: ";").map { part in
            part.filter { $0 != " " }
        }
        guard parts.first == "application/json" else { return false }
        return parts.dropFirst().allSatisfy { $0 == "charset=utf-8" }
    }

    /// The connection's credential: `Authorization: Bearer …`.
    static func credential(_ head: HTTPRequestHead) -> [UInt8]? {
        let headers = head.headers["authorization"]
        guard headers.count == 1, headers[0].hasPrefix("Bearer ") else { return nil }
        let credential = Array(headers[0].dropFirst(7).utf8)
        return credential.isEmpty ? nil : credential
    }

    /// The service and method of a path such as `/tollgate.v1.AuthService/Login`.
    static func method(_ uri: String) -> (service: [UInt8], method: [UInt8])? {
        let path = uri.utf8.prefix { $0 != UInt8(ascii: "?") }
        let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, !parts[2].isEmpty else {
            return nil
        }
        return (Array(parts[1]), Array(parts[2]))
    }
}

/// A refusal as HTTP says it.
struct HTTPFailure: Hashable {
    var status: Int
    var code: String
    var message: String
    var retryAfterMilliseconds: Int64?

    init(status: Int, code: Failure.Code, _ message: String) {
        self.status = status
        self.code = code.rawValue
        self.message = Self.cut(message)
    }

    /// What a failed call looks like over HTTP.
    init(_ error: RPCError) {
        let failure = error.failure
        let isUnknown = [RPCError.Code.noMethod, RPCError.Code.noService].contains(error.code)
        let code: Failure.Code = isUnknown ? .notFound : failure.code
        status = code.httpStatus
        self.code = code.rawValue
        message = Self.cut(failure.message)
        retryAfterMilliseconds = failure.retryAfterMilliseconds
    }

    /// A message may repeat what its caller sent, which is longer than an event loop may quote.
    private static func cut(_ message: String) -> String {
        message.cut(toBytes: Limits.rpcErrorTextBytes)
    }

    static func tooLarge(_ bytes: Int) -> HTTPFailure {
        HTTPFailure(
            status: 413, code: .invalidRequest, "The body is longer than \(bytes) bytes.")
    }

    static let headersTooLarge = HTTPFailure(
        status: 431, code: .invalidRequest,
        "The headers bring more than a call's \(Limits.rpcMetaBytes) bytes of metadata.")

    static let malformed = HTTPFailure(
        status: 400, code: .invalidRequest, "The request is no HTTP/1.1 that is understood here.")

    /// The error as a JSON object: code, message and, where waiting helps, how long.
    var json: String {
        var text = "{\"code\":\(JSONText.quoted(code)),\"message\":\(JSONText.quoted(message))"
        if let pause = retryAfterMilliseconds { text += ",\"retryAfterMilliseconds\":\(pause)" }
        return text + "}"
    }
}

/// Text as JSON has it.
enum JSONText {
    /// A string in quotes; what could end it, or is no printable character, is escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
