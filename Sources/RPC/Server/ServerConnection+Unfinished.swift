import Logging
import NIOCore
import TollgateKernel
import TollgateWire

/// Requests of which a part has come.
extension ServerConnection {
    /// Counts what there is of a frame that is not whole; one without room is refused.
    ///
    /// What strangers send is counted as it comes, wherever it lies.
    func countUnfinished() {
        guard budget.isVerified, !machine.isClosed else { return }
        do throws(RPCError) {
            try budget.noteUnfinished(frameReader.unfinishedBytes)
            if budget.unfinishedBytes == 0 {
                unfinishedSince = nil
            } else if unfinishedSince == nil {
                unfinishedSince = arrival
            }
        } catch {
            refuseUnfinished(error)
        }
    }

    /// Refuses a request that takes from the budget of all, and does not become whole.
    func expireUnfinished(_ now: NIODeadline) {
        let patience = TimeAmount.milliseconds(Limits.rpcUnfinishedMilliseconds)
        guard let unfinishedSince, now > unfinishedSince + patience else { return }
        ServerEdge.refused("unfinished_time")
        refuseUnfinished(
            RPCError(
                code: RPCError.Code.timedOut, text: "The request did not come in time",
                isNotProcessed: true))
    }

    /// Nothing is read any more.
    func forgetUnfinished() {
        frameReader.forget()
        budget.forgetUnfinished()
        unfinishedSince = nil
    }

    /// Tells the caller of a frame that is not whole that it is refused, and leaves out the rest:
    /// the connection's other calls go on.
    private func refuseUnfinished(_ error: RPCError) {
        budget.forgetUnfinished()
        unfinishedSince = nil
        guard let frame = frameReader.giveUp() else {
            // Nobody knows yet whose it is.
            core.logger.debug(
                "closing a connection with too long an envelope under way",
                metadata: ["peer": "\(peer)", "why": "\(error.text)"])
            return close()
        }
        do {
            switch frame.kind {
            case .call: try refuseUnfinishedCall(frame, error)
            case .stream: try endUnfinishedStream(frame, error)
            }
        } catch {
            close()
        }
    }

    private func refuseUnfinishedCall(_ frame: Frame, _ error: RPCError) throws {
        try IncomingRequest.read(frame, arrival: arrival, router: core.router) { request in
            if case .control = request.target { return }
            _ = machine.receiveRequest(
                credential: request.credential, announcement: request.boxedExtension)
            refuse(request, error)
        }
    }

    /// A message that does not fit ends its stream: its reader must not take the next for it.
    private func endUnfinishedStream(_ frame: Frame, _ error: RPCError) throws {
        let meta = try frame.withMeta { (bytes) throws(WireError) in
            try StreamFrameMeta.decode(bytes)
        }
        guard meta.frameType == .data, let id = CallID(streamID: meta.streamID),
            machine.isUnanswered(id), let call = calls[Int(id.index)]
        else { return receiveStreamFrame(meta, frame) }
        endStreamForRoom(call, error)
    }
}
