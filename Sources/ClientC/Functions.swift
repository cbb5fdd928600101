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
    tollgateConnectTLS(addresses, credential, nil, error)
}

/// `tollgate_connect_tls`.
@_cdecl("tollgate_connect_tls")
package func tollgateConnectTLS(
    _ addresses: UnsafePointer<CChar>?, _ credential: UnsafePointer<CChar>?,
    _ tls: UnsafePointer<tollgate_tls>?, _ error: UnsafeMutablePointer<tollgate_error>?
) -> OpaquePointer? {
    do {
        let handle = try ClientHandle(
            addresses: try text(addresses, "addresses"),
            credential: credential.map { String(cString: $0) },
            tls: tls.map { TollgateClientTLS($0.pointee) })
        return Open.clients.add(handle)
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
        let json = try call.decode(try call.answer(payload))
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
        let response = try call.answer(try bytes(request, requestLength, "request"))
        let pointer = try copy(response)
        responseLength?.pointee = response.count
        return pointer.assumingMemoryBound(to: UInt8.self)
    } catch let failure {
        CallFailure(failure).write(to: error)
        return nil
    }
}

/// `tollgate_exchange`.
@_cdecl("tollgate_exchange")
package func tollgateExchange(
    _ client: OpaquePointer?, _ method: UnsafePointer<CChar>?, _ request: UnsafePointer<UInt8>?,
    _ requestLength: Int, _ attachment: UnsafePointer<UInt8>?, _ attachmentLength: Int,
    _ options: UnsafePointer<tollgate_options>?, _ answer: UnsafeMutablePointer<tollgate_answer>?,
    _ error: UnsafeMutablePointer<tollgate_error>?
) -> Int32 {
    answer?.pointee = tollgate_answer()
    do {
        let call = try PreparedCall(client, method, options, streaming: .unary)
        defer { call.end() }
        guard let answer else {
            throw CallFailure(code: "invalid_request", "The answer is NULL.")
        }
        let given = try call.exchange(
            try bytes(request, requestLength, "request"),
            try bytes(attachment, attachmentLength, "attachment"))
        do {
            try answer.pointee.fill(given)
        } catch let failure {
            tollgateAnswerClear(answer)
            throw failure
        }
        return 0
    } catch let failure {
        CallFailure(failure).write(to: error)
        return -1
    }
}

/// `tollgate_answer_clear`.
@_cdecl("tollgate_answer_clear")
package func tollgateAnswerClear(_ answer: UnsafeMutablePointer<tollgate_answer>?) {
    guard let answer else { return }
    free(answer.pointee.message)
    free(answer.pointee.attachment)
    free(answer.pointee.fields)
    answer.pointee = tollgate_answer()
}

/// `tollgate_canceller_create`.
@_cdecl("tollgate_canceller_create")
package func tollgateCancellerCreate() -> OpaquePointer? { Open.cancellers.add(Canceller()) }

/// `tollgate_cancel`.
@_cdecl("tollgate_cancel")
package func tollgateCancel(_ canceller: OpaquePointer?) {
    Open.cancellers.find(canceller)?.cancel()
}

/// `tollgate_canceller_destroy`.
@_cdecl("tollgate_canceller_destroy")
package func tollgateCancellerDestroy(_ canceller: OpaquePointer?) {
    _ = Open.cancellers.remove(canceller)
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
    Open.clients.remove(client)?.close()
}

private func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let pointer else {
        throw CallFailure(code: "invalid_request", "The \(name) are NULL.")
    }
    return String(cString: pointer)
}

private func bytes(
    _ pointer: UnsafePointer<UInt8>?, _ count: Int, _ name: String
) throws -> [UInt8] {
    guard pointer != nil || count == 0 else {
        throw CallFailure(code: "invalid_request", "The \(name) is NULL.")
    }
    return Array(UnsafeBufferPointer(start: pointer, count: count))
}
