import NIOCore
import Testing
import TollgateKernel
import TollgateWire

@testable import TollgateRPC

/// Both ends' rules under schedules that nobody would think of; the seed repeats one.
@Suite(.timeLimit(.minutes(2))) struct ScheduleTests {
    private static let steps = 200_000

    // MARK: The server's end

    /// What a test knows of a server's call.
    private struct ServerCall {
        var isAnswered = false
        var isOpen = false
        var takesRequests: Bool
        /// Whether its window counts each message too.
        var chargesMessages: Bool
        var unread = 0
        var sent: Int64 = 0
    }

    @Test func `a server's connection keeps its rules`() {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        var done = 0
        while done < Self.steps { done += serverRun(&random, note: "TOLLGATE_SEED=\(seed)") }
    }

    /// One connection from its first request to its end; the number of steps.
    private func serverRun(_ random: inout SeededRandom, note: String) -> Int {
        var machine = ServerConnectionStateMachine(
            verifiesCredential: random.once(in: 2), maximumCalls: 8)
        var calls: [CallID: ServerCall] = [:]
        var (now, steps, held) = (NIODeadline.uptimeNanoseconds(1_000_000), 0, 0)
        var (isDraining, announced) = (false, false)
        while steps < 2_000 {
            steps += 1
            now = now + .milliseconds(Int64.random(in: 0...3, using: &random))
            let wasClosed = machine.isClosed
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<25:
                request(
                    &machine, &calls, &random, at: now, step: steps, isDraining: isDraining, note,
                    held: &held)
            case 25..<32:
                let isValid = !random.once(in: 6)
                let waited = machine.awaitsCredential
                if machine.credentialChecked(isValid: isValid) {
                    require(isValid && waited, "went on without a good credential", note)
                }
                held = 0
            case 32..<42: open(&machine, &calls, &random)
            case 42..<52: answer(&machine, &calls, &random, note)
            case 52..<60:
                guard let id = calls.keys.randomElement(using: &random) else { continue }
                machine.finish(id)
                calls[id] = nil
                require(!machine.isUnanswered(id), "a call outlived its end", note)
            case 60..<63:
                if let id = machine.cancel(
                    correlationID: Int64.random(in: 0...Int64(steps), using: &random))
                {
                    require(calls[id]?.isAnswered == false, "cancelled what was answered", note)
                    calls[id]?.isAnswered = true
                }
            case 63..<68:
                for id in machine.expired(now) {
                    require(calls[id]?.isAnswered == false, "an answered call expired", note)
                }
            case 68..<95: frame(&machine, &calls, &random, note)
            case 95..<98:
                let told = machine.drain(graceMilliseconds: 5)
                require(
                    told == nil || (announced || machine.peerKnowsExtension) && !isDraining,
                    "said go-away to who does not know it", note)
                isDraining = true
            default:
                guard random.once(in: 20) else { continue }
                let left = machine.close()
                require(wasClosed || Set(left) == Set(calls.keys), "a call was forgotten", note)
            }
            announced = announced || machine.peerKnowsExtension
            require(machine.callCount == calls.count, "calls are miscounted", note)
            if machine.isClosed, random.once(in: 30) { break }
        }
        for id in calls.keys { machine.finish(id) }
        require(machine.callCount == 0, "something is left", note)
        return steps
    }

    /// A request arrives, with or without a credential, and is admitted, held or refused.
    private func request(
        _ machine: inout ServerConnectionStateMachine, _ calls: inout [CallID: ServerCall],
        _ random: inout SeededRandom, at now: NIODeadline, step steps: Int, isDraining: Bool,
        _ note: String, held: inout Int
    ) {
        let wasClosed = machine.isClosed
        let credential = random.once(in: 2) ? [UInt8](repeating: 1, count: 3) : nil
        let action = machine.receiveRequest(
            credential: credential, announcement: random.once(in: 4) ? .announcement : nil)
        switch action {
        case .admit:
            require(!wasClosed && !machine.awaitsCredential, "admitted too early", note)
            let takes = random.once(in: 2)
            let charges = random.once(in: 2)
            let id = try? machine.admit(
                correlationID: Int64(steps),
                deadline: now + .milliseconds(Int64.random(in: -5...40, using: &random)),
                now: now, peerStreamID: takes || random.once(in: 2) ? Int64(steps) : nil,
                incoming: takes
                    ? ReceiveWindow(
                        sizeBytes: 100, maximumMessageBytes: 50,
                        chargesMessages: charges) : nil)
            if let id {
                require(!isDraining, "admitted while draining", note)
                require(
                    calls.updateValue(
                        ServerCall(takesRequests: takes, chargesMessages: charges), forKey: id)
                        == nil,
                    "a place was given twice", note)
                require(calls.count <= 8, "too many calls", note)
            }
        case .verify, .hold: held += 1
        case .ignore: require(wasClosed, "an open connection ignored a request", note)
        case .refuse, .refuseAndClose: break
        }
        require(held <= Limits.rpcRequestsAwaitingCredential, "too many held", note)
    }

    private func open(
        _ machine: inout ServerConnectionStateMachine, _ calls: inout [CallID: ServerCall],
        _ random: inout SeededRandom
    ) {
        guard let id = calls.keys.randomElement(using: &random), machine.streamEnds(id) != nil
        else { return }
        machine.streamOpened(id)
        calls[id]?.isOpen = true
    }

    private func answer(
        _ machine: inout ServerConnectionStateMachine, _ calls: inout [CallID: ServerCall],
        _ random: inout SeededRandom, _ note: String
    ) {
        guard let id = calls.keys.randomElement(using: &random) else { return }
        let mayAnswer = calls[id]?.isAnswered == false && !machine.isClosed
        require(machine.answer(id) == mayAnswer, "answered not exactly once", note)
        if mayAnswer { calls[id]?.isAnswered = true }
    }

    private func frame(
        _ machine: inout ServerConnectionStateMachine, _ calls: inout [CallID: ServerCall],
        _ random: inout SeededRandom, _ note: String
    ) {
        let types: [StreamFrameMeta.FrameType?] = [
            .reset, .close, .feedback, nil, .data, .data, .data,
        ]
        let aimed = random.once(in: 5) ? nil : calls.keys.randomElement(using: &random)
        var meta = StreamFrameMeta(
            streamID: aimed?.streamID ?? Int64.random(in: -2...9, using: &random),
            sourceStreamID: random.once(in: 4) ? nil : 5,
            frameType: types.randomElement(using: &random) ?? nil)
        meta.consumedSize = random.once(in: 2) ? Int64.random(in: -5...500, using: &random) : nil
        meta.hasContinuation = random.once(in: 3)
        if random.once(in: 12) {
            meta.envelopeExtension = EnvelopeExtension()
            meta.envelopeExtension?.endOfStream = true
        }
        let bytes = Int.random(in: 0...30, using: &random)
        let before = machine.isClosed
        switch machine.receiveFrame(meta, payloadBytes: bytes) {
        case .ignore, .reply: break
        case .feedback(let id, _): requireLive(calls[id], before, note)
        case .cancel(let id, _):
            requireLive(calls[id], before, note)
            calls[id]?.isAnswered = true
        case .data(let id, let isWhole, let ends):
            requireLive(calls[id], before, note)
            require(calls[id]?.takesRequests == true, "a deaf call was given data", note)
            let charge = Limits.rpcStreamMessageBytes
            let charges = calls[id]?.chargesMessages == true
            let counted = bytes + (isWhole && charges ? charge : 0)
            calls[id]?.unread += counted
            calls[id]?.sent += Int64(counted)
            require((calls[id]?.unread ?? 0) < 100 + 50 + charge, "the window was not kept", note)
            if ends { calls[id]?.takesRequests = false }
        case .requestsEnded(let id):
            requireLive(calls[id], before, note)
            require(calls[id]?.takesRequests == true, "requests ended twice", note)
            calls[id]?.takesRequests = false
        }
        guard random.once(in: 4), let id = aimed, let call = calls[id] else { return }
        if machine.consumed(id, upTo: call.sent, messages: 1) != nil {
            require(!call.isAnswered && call.takesRequests, "feedback after the end", note)
            calls[id]?.unread = 0
        }
    }

    private func requireLive(_ call: ServerCall?, _ isClosed: Bool, _ note: String) {
        let isLive = call.map { $0.isOpen && !$0.isAnswered } ?? false
        require(isLive && !isClosed, "a frame reached a call that is over", note)
    }

    private func require(_ holds: Bool, _ sentence: String, _ note: String) {
        if !holds { Issue.record("\(sentence); \(note)") }
    }

    // MARK: The client's end

    @Test func `a client's connection keeps its rules`() throws {
        let seed = SeededRandom.seed
        var random = SeededRandom(seed: seed)
        var done = 0
        while done < Self.steps { done += clientRun(&random, note: "TOLLGATE_SEED=\(seed)") }
    }

    /// What a test knows of a client's calls.
    private struct ClientModel {
        var running: Set<Int64> = []
        var opened: Set<Int64> = []
        var lastID: Int64 = 0
        var introductions = 0

        /// A call must end once, and only if it runs.
        mutating func end(_ id: Int64) -> Bool {
            opened.remove(id)
            return running.remove(id) != nil
        }
    }

    private func clientRun(_ random: inout SeededRandom, note: String) -> Int {
        var machine = ClientConnectionStateMachine<Int64>(
            maximumCalls: 8, maximumMessageBytes: 50)
        var model = ClientModel()
        var now = NIODeadline.uptimeNanoseconds(1_000_000)
        for step in 1...2_000 {
            now = now + .milliseconds(Int64.random(in: 0...3, using: &random))
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<30: clientBegins(&machine, &model, &random, at: now, note)
            case 30..<55: clientResponse(&machine, &model, &random, note)
            case 55..<80: clientFrame(&machine, &model, &random, note)
            case 80..<88:
                guard let id = model.running.randomElement(using: &random),
                    let (handle, action) = machine.giveUp(id)
                else { continue }
                require(handle == id && model.end(id), "gave up what is over", note)
                if case .control(let control, let cancelled) = action {
                    require(cancelled == id && control == model.lastID + 1, "a wrong cancel", note)
                    model.lastID = control
                }
            case 88..<92:
                for handle in machine.expired(now) {
                    require(model.running.contains(handle), "an ended call expired", note)
                    guard let (_, action) = machine.giveUp(handle) else { continue }
                    require(model.end(handle), "gave up what is over", note)
                    if case .control(let control, _) = action { model.lastID = control }
                }
            case 92..<95:
                guard let id = model.running.randomElement(using: &random) else { continue }
                if machine.finish(id) != nil || machine.serverStream(of: id) != nil {
                    require(model.opened.contains(id), "a closed stream was written to", note)
                }
                _ = machine.feedback(id, consumed: Int64.random(in: 0...90, using: &random))
            case 95..<97:
                if let ping = machine.ping(), ping.request != nil {
                    model.lastID = ping.correlationID
                }
            default:
                guard random.once(in: 10) else { continue }
                var goAway = EnvelopeExtension()
                goAway.control = .goAway
                goAway.lastAccepted = Int64.random(in: 0...model.lastID, using: &random)
                if case .retire(let refused) = machine.receiveControl(goAway) {
                    for handle in refused {
                        require(model.end(handle), "refused what is over", note)
                    }
                }
            }
            require(machine.callCount == model.running.count, "calls are miscounted", note)
            require(model.introductions <= 1, "introduced twice", note)
            if machine.isRetired, model.running.isEmpty || random.once(in: 40) {
                let left = machine.close().map(\.handle)
                require(
                    Set(left) == model.running && left.count == model.running.count,
                    "a loss forgot a call", note)
                require(machine.callCount == 0, "something is left", note)
                return step
            }
        }
        return 2_000
    }

    /// A call begins, or is taken back before it was written.
    private func clientBegins(
        _ machine: inout ClientConnectionStateMachine<Int64>, _ model: inout ClientModel,
        _ random: inout SeededRandom, at now: NIODeadline, _ note: String
    ) {
        let wasRetired = machine.isRetired
        let handle = model.lastID + 1
        let deadline = now + .milliseconds(Int64.random(in: 0...60, using: &random))
        guard
            let ticket = try? machine.begin(
                handle, deadline: deadline, opensStream: random.once(in: 2),
                windowBytes: random.once(in: 2) ? 100 : nil)
        else {
            require(wasRetired || model.running.count == 8, "a call was refused", note)
            return
        }
        require(!wasRetired, "a call began on a retired connection", note)
        require(ticket.id == handle, "numbers skip", note)
        model.lastID = ticket.id
        if ticket.isFirst { model.introductions += 1 }
        if random.once(in: 10) {
            machine.takeBack(ticket)
            if ticket.isFirst { model.introductions -= 1 }
        } else {
            model.running.insert(ticket.id)
        }
    }

    private func clientResponse(
        _ machine: inout ClientConnectionStateMachine<Int64>, _ model: inout ClientModel,
        _ random: inout SeededRandom, _ note: String
    ) {
        var meta = RpcMeta()
        meta.correlationID = Int64.random(in: 0...model.lastID + 1, using: &random)
        let code: Int32 = random.once(in: 5) ? (random.once(in: 40) ? 2_003 : 1_003) : 0
        meta.response = RpcResponseMeta(errorCode: code, errorText: "")
        if random.once(in: 2) {
            meta.streamSettings = StreamSettings(
                streamID: Int64.random(in: 0...9, using: &random),
                needFeedback: random.once(in: 2), writable: true,
                initialWindowBytes: random.once(in: 3)
                    ? Int64.random(in: -1...9, using: &random) : nil)
        }
        if random.once(in: 2) { meta.envelopeExtension = .announcement }
        switch machine.receive(meta) {
        case .succeed(let handle):
            require(handle == meta.correlationID && model.end(handle), "answered twice", note)
        case .fail(let handle, _):
            require(handle == meta.correlationID && model.end(handle), "failed twice", note)
        case .opened(let handle, _):
            require(model.running.contains(handle), "opened what is over", note)
            require(model.opened.insert(handle).inserted, "opened twice", note)
        case .late:
            let isWaiting =
                model.running.contains(meta.correlationID)
                && !model.opened.contains(meta.correlationID)
            require(!isWaiting, "a waiting call's answer was dropped", note)
        }
    }

    private func clientFrame(
        _ machine: inout ClientConnectionStateMachine<Int64>, _ model: inout ClientModel,
        _ random: inout SeededRandom, _ note: String
    ) {
        let types: [StreamFrameMeta.FrameType?] = [.reset, .close, .feedback, nil, .data, .data]
        var meta = StreamFrameMeta(
            streamID: model.opened.randomElement(using: &random)
                ?? Int64.random(in: -1...model.lastID, using: &random),
            sourceStreamID: random.once(in: 4) ? nil : Int64.random(in: -1...3, using: &random),
            frameType: types.randomElement(using: &random) ?? nil)
        meta.hasContinuation = random.once(in: 3)
        meta.consumedSize = random.once(in: 2) ? 3 : nil
        switch machine.receive(meta, payloadBytes: Int.random(in: 0...40, using: &random)) {
        case .ignore, .reply: break
        case .response:
            require(
                model.running.contains(meta.streamID) && !model.opened.contains(meta.streamID),
                "a response came for what is open or over", note)
        case .data(let handle, _), .feedback(let handle, _):
            require(model.opened.contains(handle), "data for what is not open", note)
        case .ended(let handle, _, _, _):
            require(model.end(handle), "ended twice", note)
        }
    }
}
