package import CTollgate
import Glibc
import TollgateClient

// The functions of tollgate.h, which documents them.

/// `tollgate_api_version`.
@_cdecl("tollgate_api_version")
package func tollgateAPIVersion() -> Int32 { TOLLGATE_API_VERSION }

/// `tollgate_connect`.
@_cdecl("tollgate_connect")
package func tollgateConnect(
    _ addresses: UnsafePointer<CChar>?, _ credential: UnsafePointer<CChar>?,
    _ error: UnsafeMutablePointer<tollgate_error>?
) -> OpaquePointer? {
    do {
        let handle = try ClientHandle(
            addresses: try text(addresses, "addresses"),
            credential: credential.map { String(cString: $0) })
        return OpenClients.add(handle)
    } catch let failure {
        CallFailure(failure).write(to: error)
        return nil
    }
}

/// `tollgate_call_json`.
@_cdecl("tollgate_call_json")
package func tollgateCallJSON(
    _ client: OpaquePointer?, _ method: UnsafePointer<CChar>?, _ request: UnsafePointer<CChar>?,
    _ options: UnsafePointer<tollgate_options>?, _ error: UnsafeMutablePointer<tollgate_error>?
) -> UnsafeMutablePointer<CChar>? {
    do {
        let call = try PreparedCall(client, method, options, streaming: .unary)
        defer { call.end() }
        let payload = try call.encode(try text(request, "request"))
        let result = BlockingCall.run { await call.answer(payload) }
        let json = try call.decode(try result.get())
        return try copy(Array(json.utf8) + [0]).assumingMemoryBound(to: CChar.self)
    } catch let failure {
        CallFailure(failure).write(to: error)
        return nil
    }
}

/// `tollgate_call_bytes`.
@_cdecl("tollgate_call_bytes")
package func tollgateCallBytes(
    _ client: OpaquePointer?, _ method: UnsafePointer<CChar>?, _ request: UnsafePointer<UInt8>?,
    _ requestLength: Int, _ options: UnsafePointer<tollgate_options>?,
    _ responseLength: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<tollgate_error>?
) -> UnsafeMutablePointer<UInt8>? {
    do {
        let call = try PreparedCall(client, method, options, streaming: .unary)
        defer { call.end() }
        guard request != nil || requestLength == 0 else {
            throw CallFailure(code: "invalid_request", "The request is NULL.")
        }
        let payload = Array(UnsafeBufferPointer(start: request, count: requestLength))
        let result = BlockingCall.run { await call.answer(payload) }
        let response = try result.get()
        let pointer = try copy(response)
        responseLength?.pointee = response.count
        return pointer.assumingMemoryBound(to: UInt8.self)
    } catch let failure {
        CallFailure(failure).write(to: error)
        return nil
    }
}

/// `tollgate_stream_json`.
@_cdecl("tollgate_stream_json")
package func tollgateStreamJSON(
    _ client: OpaquePointer?, _ method: UnsafePointer<CChar>?, _ request: UnsafePointer<CChar>?,
    _ options: UnsafePointer<tollgate_options>?, _ onMessage: tollgate_on_message?,
    _ context: UnsafeMutableRawPointer?, _ error: UnsafeMutablePointer<tollgate_error>?
) -> Int32 {
    do {
        let call = try PreparedCall(client, method, options, streaming: .serverStreaming)
        defer { call.end() }
        let payload = try call.encode(try text(request, "request"))
        guard let onMessage else {
            throw CallFailure(code: "invalid_request", "The callback is NULL.")
        }
        if let failure = call.stream(payload, { $0.withCString { onMessage($0, context) == 0 } }) {
            throw failure
        }
        return 0
    } catch let failure {
        CallFailure(failure).write(to: error)
        return -1
    }
}

/// `tollgate_free`.
@_cdecl("tollgate_free")
package func tollgateFree(_ pointer: UnsafeMutableRawPointer?) { free(pointer) }

/// `tollgate_close`.
@_cdecl("tollgate_close")
package func tollgateClose(_ client: OpaquePointer?) {
    OpenClients.remove(client)?.close()
}

private func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let pointer else {
        throw CallFailure(code: "invalid_request", "The \(name) are NULL.")
    }
    return String(cString: pointer)
}

/// Memory that C frees; never NULL, also for nothing.
private func copy(_ bytes: [UInt8]) throws -> UnsafeMutableRawPointer {
    guard let pointer = malloc(max(bytes.count, 1)) else {
        throw CallFailure(code: "internal_error", "There is no memory for the answer.")
    }
    bytes.withUnsafeBytes { source in
        if let start = source.baseAddress { memcpy(pointer, start, source.count) }
    }
    return pointer
}
