import CTollgate
import TollgateClient

/// A call whose arguments from C have been checked and copied; its client waits for its ``end()``.
struct PreparedCall: Sendable {
    private let handle: ClientHandle
    private let method: MethodDescriptor
    private let options: CallOptions
    private let cancellers: [Canceller]

    /// Checks the arguments, and begins a call of the client.
    /// - Throws: ``CallFailure`` if one of them is NULL, no such method exists or the client is
    ///   closed; then no call has begun.
    init(
        _ client: OpaquePointer?, _ name: UnsafePointer<CChar>?,
        _ options: UnsafePointer<tollgate_options>?, streaming: MethodDescriptor.Streaming
    ) throws {
        guard let client else { throw CallFailure(code: "invalid_request", "The client is NULL.") }
        guard let handle = Open.clients.find(client) else { throw CallFailure.closed }
        let name = name.map { String(cString: $0) } ?? ""
        guard let method = Methods.all.first(where: { $0.fullName == name }) else {
            throw CallFailure(code: "invalid_request", "There is no method “\(name)”.")
        }
        guard method.streaming == streaming else {
            let kind = streaming == .unary ? "a stream of responses" : "one response"
            throw CallFailure(code: "invalid_request", "\(name) has \(kind).")
        }
        self.options = try Self.options(options?.pointee)
        let canceller = try Self.canceller(options?.pointee.canceller)
        cancellers = [canceller, handle.ending].compactMap(\.self)
        try handle.beginCall()
        self.handle = handle
        self.method = method
    }

    private static func canceller(_ pointer: OpaquePointer?) throws -> Canceller? {
        guard let pointer else { return nil }
        guard let canceller = Open.cancellers.find(pointer) else {
            throw CallFailure(code: "invalid_request", "The canceller has been given back.")
        }
        return canceller
    }

    private static func options(_ given: tollgate_options?) throws -> CallOptions {
        var options = CallOptions()
        guard let given else { return options }
        guard given.fields != nil || given.field_count == 0 else {
            throw CallFailure(code: "invalid_request", "The fields are NULL.")
        }
        options.authorization = given.authorization.map { String(cString: $0) }
        options.affinityKey = given.affinity_key.map { String(cString: $0) }
        if given.timeout_milliseconds > 0 {
            options.timeoutMilliseconds = given.timeout_milliseconds
        }
        if given.hedge_after_milliseconds > 0 {
            options.hedgeAfterMilliseconds = given.hedge_after_milliseconds
        }
        if given.window_bytes != 0 { options.windowBytes = given.window_bytes }
        for field in UnsafeBufferPointer(start: given.fields, count: given.field_count) {
            guard let name = field.name, let value = field.value else {
                throw CallFailure(code: "invalid_request", "A field's name or value is NULL.")
            }
            options.userFields[String(cString: name)] = String(cString: value)
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

    /// Makes the call and waits for it on this thread.
    func answer(_ payload: [UInt8]) throws -> [UInt8] {
        try wait { try await handle.client.unaryBytes(method, payload, options: options) }
    }

    /// Makes the call with an attachment and waits for it on this thread.
    func exchange(_ payload: [UInt8], _ attachment: [UInt8]) throws -> CallAnswer<[UInt8]> {
        try wait {
            try await handle.client.exchangeBytes(
                method, payload, attachment: attachment, options: options)
        }
    }

    private func wait<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        try BlockingCall.run(cancellers) { () -> Result<Value, CallFailure> in
            do {
                return .success(try await body())
            } catch {
                return .failure(CallFailure(error))
            }
        }.get()
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
        let failure = BlockingCall.cancelled(by: cancellers, task) { handoff.drain(callback) }
        BlockingCall.run { await task.value }
        return failure
    }
}
