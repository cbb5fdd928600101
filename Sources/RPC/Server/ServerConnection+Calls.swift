import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// Calls from their admission to their answer.
extension ServerConnection {
    func begin(_ request: IncomingRequest) {
        do throws(RPCError) {
            switch request.target {
            case .control: break
            case .invalid(let error): throw error
            case .cancel(let correlationID, let wantsReply):
                cancel(correlationID: correlationID)
                if wantsReply { throw RPCError(Failure(.cancelled, "The call was cancelled.")) }
            case .method(let route):
                try checkCaller(request, route.method)
                start(try admit(request, route), request)
            }
        } catch {
            refuse(request, error)
        }
    }

    /// Checks the method's facts against the connection and the request.
    private func checkCaller(
        _ request: IncomingRequest, _ method: MethodDescriptor
    ) throws(RPCError) {
        let isStream = method.streaming != .unary
        if isStream, request.streamSettings?.writable != true {
            throw IncomingRequest.badRequest(
                "\(method.fullName) needs a stream that the caller reads")
        }
        // A batch is answered with as many numbers of ours, and no method here has use for them.
        if request.streamSettings?.extraStreamIDs.isEmpty == false {
            throw IncomingRequest.badRequest("\(method.fullName) takes no extra streams")
        }
        if let window = request.streamSettings?.initialWindowBytes, window <= 0 {
            throw IncomingRequest.badRequest("a stream's window must be positive")
        }
        do {
            try method.checkCaller(
                role: identity?.role, authorization: request.fields.authorization)
        } catch {
            throw RPCError(error)
        }
    }

    private func admit(
        _ request: IncomingRequest, _ route: Route
    ) throws(RPCError) -> RunningCall {
        // Its answer would wait behind more than we keep.
        if !isWritable {
            countUnsent()
            try budget.checkUnsent()
        }
        let deadline = request.deadline(of: route.method)
        let admission = try CallAdmission(
            route.gate, budget, bytes: request.packetBytes, priority: request.priority)
        let id: CallID
        do throws(RPCError) {
            // What the request waited for, in the socket's buffer or for its credential, counts.
            id = try machine.admit(
                correlationID: request.correlationID, deadline: deadline.moment, now: .now(),
                peerStreamID: request.streamSettings?.streamID,
                incoming: route.method.streaming.takesStream
                    ? ReceiveWindow(chargesMessages: machine.chargesMessages) : nil)
        } catch {
            admission.leave(latency: nil, now: .now())
            throw error
        }
        let context = ServerCallContext(
            method: route.method, identity: identity, fields: request.fields, deadline: deadline,
            correlationID: request.correlationID, peer: peer,
            attachment: request.attachment, priority: request.priority)
        let call = RunningCall(
            id: id, route: route, context: context, arrival: request.arrival,
            admission: admission, wantsReply: request.wantsReply,
            packing: RunningCall.Packing.wanted(by: request))
        while calls.count <= Int(id.index) { calls.append(nil) }
        calls[Int(id.index)] = call
        loop.callBegan()
        wake(at: deadline.moment)
        return call
    }

    private func start(_ call: RunningCall, _ request: IncomingRequest) {
        let task: CallTask.Handle
        if call.route.isUnary, let payload = request.payload.plain {
            call.payload = payload
            task = CallTask.start(on: loop.executor, answering: call, of: self)
        } else {
            task = startOther(call, request)
        }
        // A handler that never waited has ended already, and its place may be another's.
        guard calls[Int(call.id.index)] === call, call.outcome == nil else { return }
        call.task = task
        if request.pinnedBytes > 0 { pin(call, request.pinnedBytes) }
        // What it wrote before it first waited may have found the peer gone.
        if call.isCancelled { task.cancel() }
    }

    /// Starts a call that is not a plain unary one.
    @inline(never)
    private func startOther(_ call: RunningCall, _ request: IncomingRequest) -> CallTask.Handle {
        switch call.route.answer {
        case .unary(let answer):
            return CallTask.start(on: loop.executor, for: call) { [self] in
                await run(call) {
                    try await answer(
                        unpacked(request, of: call), call.context,
                        UnaryReply(connection: self, call: call))
                }
            }
        case .serverStreaming(let answer):
            let sink = makeSink(call, request)
            return CallTask.start(on: loop.executor, for: call) { [self] in
                await run(call) {
                    try await answer(unpacked(request, of: call), call.context, sink)
                }
            }
        case .streamOfRequests(let answer):
            let (sink, source) = (makeSink(call, request), makeSource(call, request))
            // The client knows where to send its messages once it has the response.
            _ = openStream(call)
            return CallTask.start(on: loop.executor, for: call) { [self] in
                await run(call) { try await answer(source, call.context, sink) }
            }
        }
    }

    /// Answers a unary call whose payload came plain.
    func runPlain(_ call: RunningCall) async {
        await run(call) {
            // Its caller asked before.
            guard case .unary(let answer) = call.route.answer else {
                throw Failure(.internalError, "The method is not what was called.")
            }
            let payload = call.payload
            call.payload = ByteBuffer()
            try await answer(payload, call.context, UnaryReply(connection: self, call: call))
        }
    }

    /// The request's message, checked and unpacked.
    ///
    /// What came out of few bytes counts as well as they do. Until it is counted it lies on one of
    /// the pool's threads, which are as few as processors.
    private func unpacked(
        _ request: IncomingRequest, of call: RunningCall
    ) async throws -> ByteBuffer {
        if let plain = request.payload.plain { return plain }
        let message: ByteBuffer
        do {
            message = try await request.payload.unpacked(
                attachment: request.attachment, limitBytes: core.maximumBodyBytes)
        } catch let error as PayloadError {
            throw IncomingRequest.badRequest("\(error)")
        }
        if request.payload.isCompressed { try call.charge(message.readableBytes) }
        return message
    }

    /// Runs a handler with its interceptors, in the scope of its call, then ends the call.
    private func run(_ call: RunningCall, _ handler: () async throws -> Void) async {
        do {
            if core.interceptors.isEmpty {
                try await serve(call, handler)
            } else {
                try await intercepted(call, handler)
            }
            ended(call, .succeeded)
        } catch {
            failed(call, error)
        }
    }

    private func serve(_ call: RunningCall, _ handler: () async throws -> Void) async throws {
        if core.instrument == nil { try await handler() } else { try await traced(call, handler) }
        if call.longAnswer != nil { try await packLongAnswer(call) }
    }

    /// Runs a handler between the interceptors.
    @inline(never)
    private func intercepted(_ call: RunningCall, _ handler: () async throws -> Void) async throws {
        let began = ContinuousClock.now
        var passed = 0
        var thrown: (any Error)?
        do {
            for interceptor in core.interceptors {
                try await interceptor.intercept(call.context)
                passed += 1
            }
            try await serve(call, handler)
        } catch {
            thrown = error
        }
        let duration = ContinuousClock.now - began
        for interceptor in core.interceptors.prefix(passed).reversed() {
            await interceptor.didServe(call.context, duration: duration, error: thrown)
        }
        if let thrown { throw thrown }
    }

    /// Runs a handler where the program has set up an instrument.
    ///
    /// Not inlined, like what follows: what few calls do would take memory in each one's task.
    @inline(never)
    private func traced(_ call: RunningCall, _ handler: () async throws -> Void) async throws {
        try await TraceContext.serve(call.context, core.instrument, core.tracer, handler)
    }

    @inline(never)
    private func failed(_ call: RunningCall, _ error: any Error) {
        if RPCError.isUnforeseen(error) {
            core.logger.error(
                "a call failed by an error that is not told to its caller",
                metadata: ["method": "\(call.context.method.fullName)", "why": "\(error)"])
        }
        ended(call, .failed(RPCError(thrown: error)))
    }

    @inline(never)
    private func packLongAnswer(_ call: RunningCall) async throws {
        guard let plain = call.longAnswer, let packing = call.packing else { return }
        call.longAnswer = nil
        let extras = call.context.responseExtras
        let packed = try await OutgoingPayload.packed(
            plain, attachment: extras.attachment ?? ByteBuffer(), compression: packing.compression,
            hasChecksum: packing.hasChecksum)
        try answer(call, packed, extras)
    }

    /// A call's task is at its end: answers it if that has not been done, and forgets it; a stream
    /// once everything that was written has been sent.
    private func ended(_ call: RunningCall, _ outcome: RunningCall.Outcome) {
        loop.eventLoop.preconditionInEventLoop()
        call.task = nil
        call.outcome = outcome
        guard let sink = call.sink else {
            if let error = outcome.error { answer(call, error) }
            return forget(call)
        }
        sink.end()
        if sink.hasPieces, machine.isUnanswered(call.id) { return streamIsReady(call) }
        endStream(call, outcome.error)
        forget(call)
    }

    /// Gives a call's place back.
    func forget(_ call: RunningCall) {
        guard calls[Int(call.id.index)] === call else { return }
        call.leave()
        call.sink = nil
        call.source = nil
        calls[Int(call.id.index)] = nil
        machine.finish(call.id)
        loop.callEnded()
        if machine.callCount == 0 { connectionBecameIdle() }
    }

    // MARK: Answers

    /// Answers a call with its response, coded as the caller likes.
    func answer(
        _ call: RunningCall, _ payload: OutgoingPayload, _ extras: ServerCallContext.Extras
    ) throws {
        try payload.bytes.withUnsafeReadableBytes { bytes in
            try answer(call, bytes, extras, payload)
        }
    }

    /// Answers a call with its response, whose bytes may be those of a packed payload.
    func answer(
        _ call: RunningCall, _ bytes: UnsafeRawBufferPointer, _ extras: ServerCallContext.Extras,
        _ packed: OutgoingPayload? = nil
    ) throws {
        let mostBytes = min(core.maximumBodyBytes, Limits.rpcBodyBytes - Limits.rpcMetaBytes)
        guard bytes.count + (extras.attachment?.readableBytes ?? 0) <= mostBytes else {
            throw Failure.responseTooLarge
        }
        guard machine.answer(call.id) else { return }
        guard call.wantsReply else { return record(call, code: 0) }
        do {
            if !isWritable { try checkRoom(for: bytes.count, extras) }
            if packed == nil, extras.fields.isEmpty, !machine.owesAnnouncement,
                machine.streamEnds(call.id) == nil
            {
                outbound.writeSuccess(
                    correlationID: call.context.correlationID, payload: bytes,
                    attachment: extras.attachment)
                flushSoon()
            } else {
                try writeAnswer(call, bytes, extras, packed)
            }
        } catch {
            // The caller is told why instead.
            machine.answerFailed(call.id)
            throw error
        }
        record(call, code: 0)
    }

    /// Writes an answer of which there is more to say than that the call succeeded.
    @inline(never)
    private func writeAnswer(
        _ call: RunningCall, _ bytes: UnsafeRawBufferPointer, _ extras: ServerCallContext.Extras,
        _ packed: OutgoingPayload?
    ) throws {
        var meta = responseMeta(call.context.correlationID)
        meta.response = RpcResponseMeta()
        meta.userFields = extras.fields
        packed?.describe(in: &meta)
        do {
            let isWritten = try write(
                meta, bytes, attachment: extras.attachment ?? ByteBuffer(),
                inStreamOf: machine.streamEnds(call.id)?.peer)
            guard isWritten else { throw Self.metadataTooLarge }
        } catch {
            if meta.envelopeExtension != nil { machine.announcementFailed() }
            throw error
        }
    }

    static let metadataTooLarge = Failure(
        .internalError, "The response's metadata is larger than a packet's may be.")

    /// Drops an answer for which there is no room, rather than to keep ever more of them.
    @inline(never)
    private func checkRoom(for bytes: Int, _ extras: ServerCallContext.Extras) throws {
        // What the peer has taken since it was counted leaves room.
        countUnsent()
        let answer = bytes + (extras.attachment?.readableBytes ?? 0)
        guard budget.hasRoom(forAnswer: answer) else {
            throw Failure(
                .unknownOutcome,
                "The call was done, but too many answers wait unread on its connection.")
        }
    }

    /// Answers a call with an error; nothing happens if it was answered or given up before.
    func answer(_ call: RunningCall, _ error: RPCError) {
        guard machine.answer(call.id) else { return }
        defer { record(call, code: error.code) }
        guard call.wantsReply else { return }
        writeError(
            error, correlationID: call.context.correlationID,
            inStreamOf: machine.streamEnds(call.id)?.peer)
    }

    func record(_ call: RunningCall, code: Int32) {
        call.route.record(code: code, nanoseconds: (NIODeadline.now() - call.arrival).nanoseconds)
    }

    /// Answers a request that never became a call.
    func refuse(_ request: IncomingRequest, _ error: RPCError) {
        guard request.wantsReply else { return }
        writeError(
            error, correlationID: request.correlationID,
            inStreamOf: request.streamSettings?.streamID)
    }

    /// Answers with an error outside of any stream.
    func writeBareError(_ error: RPCError, correlationID: Int64) {
        writeError(error, correlationID: correlationID, inStreamOf: nil)
    }

    private func writeError(
        _ error: RPCError, correlationID: Int64, inStreamOf peerStreamID: Int64?
    ) {
        var meta = responseMeta(correlationID)
        meta.response = RpcResponseMeta(errorCode: error.code, errorText: error.sentText)
        meta.userFields = error.userFields
        if machine.peerKnowsExtension, error.isNotProcessed || error.retryAfterMilliseconds != nil {
            var hints = meta.envelopeExtension ?? EnvelopeExtension()
            hints.notProcessed = error.isNotProcessed ? true : nil
            hints.retryAfterMilliseconds = error.retryAfterMilliseconds
            meta.envelopeExtension = hints
        }
        do {
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            if try write(meta, nothing, attachment: ByteBuffer(), inStreamOf: peerStreamID) {
                return
            }
            // What went wrong can be told without what was added to it.
            meta.userFields = [:]
            _ = try write(meta, nothing, attachment: ByteBuffer(), inStreamOf: peerStreamID)
        } catch {
            core.logger.error("an error answer cannot be written", metadata: ["why": "\(error)"])
            close()
        }
    }

    /// The meta of a response; the connection's first one announces our extensions.
    func responseMeta(_ correlationID: Int64) -> RpcMeta {
        var meta = RpcMeta()
        meta.correlationID = correlationID
        if machine.takeAnnouncement() { meta.envelopeExtension = .announcement }
        return meta
    }

    /// Writes a response; wrapped in a stream frame that names no stream of ours if the request
    /// opened one (rpc-wire, 1.8).
    ///
    /// False if its meta is more than a reader takes, who would close the connection, with
    /// everybody's calls, over it; nothing is written then.
    private func write(
        _ meta: RpcMeta, _ bytes: UnsafeRawBufferPointer, attachment: ByteBuffer,
        inStreamOf peerStreamID: Int64?
    ) throws -> Bool {
        guard meta.userFields.count <= Limits.rpcUserFields else { return false }
        guard let peerStreamID else {
            let isWritten = try outbound.writeCall(
                meta, payload: bytes, attachment: attachment,
                maximumMetaBytes: Limits.rpcMetaBytes)
            if isWritten { flushSoon() }
            return isWritten
        }
        var inner = ByteBuffer()
        let metaBytes = try inner.writeCallHead(
            meta, payload: bytes, attachmentBytes: attachment.readableBytes)
        guard metaBytes <= Limits.rpcMetaBytes else { return false }
        if attachment.readableBytes > 0 { inner.writeImmutableBuffer(attachment) }
        try outbound.writeStream(
            StreamFrameMeta(
                streamID: peerStreamID, sourceStreamID: StreamFrameMeta.noStream,
                frameType: .data), payload: inner)
        flushSoon()
        return true
    }

    // MARK: Giving up

    /// Cancels the call with this correlation id; it gets no answer.
    private func cancel(correlationID: Int64) {
        guard let id = machine.cancel(correlationID: correlationID) else { return }
        stop(id)
    }

    /// Cancels the task of a call that needs no answer any more.
    func stop(_ id: CallID) {
        guard let call = calls[Int(id.index)] else { return }
        record(call, code: RPCError.Code.cancelled)
        giveUp(id)
    }

    /// Cancels a call that nobody waits for; one whose handler has ended is forgotten at once.
    func giveUp(_ id: CallID) {
        guard let call = calls[Int(id.index)] else { return }
        call.noteGivenUp(at: .now())
        call.cancel()
        if call.outcome != nil { forget(call) }
    }
}

extension MethodDescriptor {
    /// Checks who calls against who may.
    /// - Throws: `Failure`: unauthenticated without a login session where one is needed, else
    ///   forbidden.
    func checkCaller(role: ServiceRole?, authorization: String?) throws(Failure) {
        // Without a verifier there are no roles; such a server hosts no method that needs one.
        let isListed = roles.isEmpty || role.map { roles.contains($0) } ?? false
        switch access {
        case .connection where isListed: return
        case .user where isListed:
            guard authorization?.isEmpty == false else {
                throw Failure(.unauthenticated, "Sign in first.")
            }
        case .service where isListed && role != nil: return
        case .admin where role == .admin: return
        default:
            throw Failure(.forbidden, "This connection's credential may not call \(fullName).")
        }
    }
}
