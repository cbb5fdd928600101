import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// What is due on a connection: deadlines, and signs of life.
extension ServerConnection {
    /// Has the loop look at this connection at a moment, or before.
    func wake(at moment: NIODeadline) {
        guard DueTable.isEarlier(moment, than: nextLook) else { return }
        nextLook = moment
        loop.wake(self, at: moment)
    }

    /// Looks after what is due; false if that was done since the loop was asked.
    func lookIfDue(_ now: NIODeadline) -> Bool {
        guard context != nil, !DueTable.isEarlier(now, than: nextLook) else { return false }
        look(now)
        return true
    }

    /// Looks after what is due, and has the loop come back when it is next.
    func look(_ now: NIODeadline) {
        guard let gauge else { return }
        reader.note(now) { gauge.untakenBytes }
        if !isWritable { countUnsent() }
        checkLiveness(now)
        expireCalls(now)
        expireUnfinished(now)
        guard context != nil else { return }
        nextLook = .distantFuture
        let tick = TimeAmount.milliseconds(Limits.rpcDeadlineTickMilliseconds)
        wake(at: max(due(now), now + tick))
    }

    private func due(_ now: NIODeadline) -> NIODeadline {
        // Whoever says little is seen to read or not before it is asked.
        let period = min(core.keepalive.silenceMilliseconds, Limits.rpcSilenceMilliseconds) / 4
        var due = min(now + .milliseconds(period), machine.earliestDeadline)
        if machine.awaitsCredential { due = min(due, credentialDue) }
        if machine.canProbe, !wantsRead { due = min(due, probe.due(lastHeard: lastLife)) }
        return due
    }

    /// When the peer must have shown a good credential.
    private var credentialDue: NIODeadline {
        opened + .milliseconds(budget.edge.limits.firstBytesMilliseconds)
    }

    /// When the peer last said something, or took something that had waited for it.
    private var lastLife: NIODeadline { max(arrival, reader.lastTaken) }

    /// Asks a silent peer to show that it lives, and closes a dead one.
    ///
    /// One that is behind with reading cannot answer a question that waits behind the rest, so what
    /// it takes is its sign of life. While we do not read, nothing it says is heard.
    private func checkLiveness(_ now: NIODeadline) {
        if wantsRead || !isWritable {
            let patience = TimeAmount.milliseconds(Int64(Limits.rpcUserTimeoutMilliseconds))
            if now > reader.lastTaken + patience { return giveUpPeer() }
            if wantsRead { return }
        }
        guard machine.canProbe else { return }
        switch probe.check(now, lastHeard: lastLife) {
        case .wait: break
        case .ask:
            var ping = EnvelopeExtension()
            ping.control = .ping
            writeControl(ping)
        case .giveUp: giveUpPeer()
        }
    }

    private func giveUpPeer() {
        core.logger.debug("closing a connection whose peer is dead", metadata: ["peer": "\(peer)"])
        close()
    }

    /// Answers the calls whose deadline has passed, and cancels their tasks.
    ///
    /// A peer that has not shown its credential in time has to make room.
    func expireCalls(_ now: NIODeadline) {
        if machine.awaitsCredential, now > credentialDue { return endUnverified() }
        for id in machine.expired(now) {
            guard let call = calls[Int(id.index)] else { continue }
            if call.sink == nil {
                answer(call, ServerConnectionStateMachine.timedOut)
            } else {
                endStream(call, ServerConnectionStateMachine.timedOut)
            }
            giveUp(id)
        }
    }
}

/// How far a peer is with what it was sent.
struct ReaderProgress {
    /// Bytes that the channel was given.
    var sentBytes = 0
    /// When the peer last took something that it had been behind with; no later than that.
    private(set) var lastTaken = NIODeadline.uptimeNanoseconds(0)
    private var takenBytes = 0
    private var untakenBytes = 0
    private var lastLook = NIODeadline.uptimeNanoseconds(0)

    /// Looks how much is left; asks only if something may be.
    mutating func note(_ now: NIODeadline, _ untaken: () -> Int) {
        defer { lastLook = now }
        guard takenBytes != sentBytes else { return }
        let left = untaken()
        if untakenBytes > Limits.rpcBehindBytes, sentBytes - left > takenBytes {
            lastTaken = max(lastTaken, lastLook)
        }
        untakenBytes = left
        takenBytes = sentBytes - left
    }

    /// Notes that the peer took something, or is to be waited for from now on.
    mutating func tookSomething(at now: NIODeadline) { lastTaken = now }
}
