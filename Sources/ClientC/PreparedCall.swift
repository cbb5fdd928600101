import CTollgate
import TollgateClient

/// A call whose arguments from C have been checked and copied; its client waits for its ``end()``.
struct PreparedCall: Sendable {
    private let handle: ClientHandle
    private let method: MethodDescriptor
    private let options: CallOptions

    /// Checks the arguments, and begins a call of the client.
    /// - Throws: ``CallFailure`` if one of them is NULL, no such method exists or the client is
    ///   closed; then no call has begun.
    init(
        _ client: OpaquePointer?, _ name: UnsafePointer<CChar>?,
        _ options: UnsafePointer<tollgate_options>?, streaming: MethodDescriptor.Streaming
    ) throws {
        let handle = try OpenClients.find(client)
        let name = name.map { String(cString: $0) } ?? ""
        guard let method = Methods.all.first(where: { $0.fullName == name }) else {
            throw CallFailure(code: "invalid_request", "There is no method “\(name)”.")
        }
        guard method.streaming == streaming else {
            let kind = streaming == .unary ? "a stream of responses" : "one response"
            throw CallFailure(code: "invalid_request", "\(name) has \(kind).")
        }
        try handle.beginCall()
        self.handle = handle
        self.method = method
        self.options = Self.options(options?.pointee)
    }

    private static func options(_ given: tollgate_options?) -> CallOptions {
        var options = CallOptions()
        guard let given else { return options }
        options.authorization = given.authorization.map { String(cString: $0) }
        options.affinityKey = given.affinity_key.map { String(cString: $0) }
        if given.timeout_milliseconds > 0 {
            options.timeoutMilliseconds = given.timeout_milliseconds
        }
        if given.hedge_after_milliseconds > 0 {
            options.hedgeAfterMilliseconds = given.hedge_after_milliseconds
        }
        return options
    }

    /// The call is over: nothing of the client and of the caller's arguments is touched any more.
    func end() { handle.endCall() }

    func encode(_ json: String) throws -> [UInt8] {
        do {
            return try WireJSON.bytes(of: json, as: method.request)
        } catch {
            throw CallFailure(code: "invalid_request", "The request cannot be read: \(error)")
        }
    }

    func decode(_ bytes: [UInt8]) throws -> String {
        try WireJSON.text(of: bytes, as: method.response)
    }

    /// Makes the call.
    func answer(_ payload: [UInt8]) async -> Result<[UInt8], CallFailure> {
        do {
            return .success(try await handle.client.unaryBytes(method, payload, options: options))
        } catch {
            return .failure(CallFailure(error))
        }
    }

    /// Makes the call and gives each message to `callback` on this thread, until it returns false.
    func stream(_ payload: [UInt8], _ callback: (String) -> Bool) -> CallFailure? {
        let handoff = MessageHandoff()
        let task = BlockingCall.start {
            do {
                try await handle.client.withByteStream(method, payload, options: options) {
                    stream in
                    for try await message in stream {
                        guard await handoff.give(try decode(message)) else { return }
                    }
                }
                handoff.finish(nil)
            } catch {
                handoff.finish(CallFailure(error))
            }
        }
        let failure = handoff.drain(callback)
        BlockingCall.run { await task.value }
        return failure
    }
}
