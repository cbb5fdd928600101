internal import Analytics
internal import Chat
internal import Metrics
internal import Synchronization
internal import TollgateKernel

/// A question that was refused in its hold's transaction.
struct RefusedHold: Error {
    /// What the asker is told.
    var failure: Failure
    /// Whose refusal is counted; nil if none is, as for a request that was asked before.
    var counted: AccountID?
}

/// Counts refused questions, those of many askers in one write.
///
/// An account's refusals of an hour are one row. On PostgreSQL a client that asks in a loop, in
/// many calls at once, would be in its own way there: every refusal would undo others. So each
/// account has its lane, in which one write is under way at a time and takes along what was refused
/// meanwhile; one that is slow holds up no other lane. Everybody waits for the write that holds
/// their own: what was told was counted, and a process that is killed loses nothing of it. What
/// waits is bounded by the calls that are under way.
final class RefusalCounts: Sendable {
    private let lanes = (0..<Limits.refusalLanes).map { _ in RefusalLane() }

    /// Counts a refusal, and returns when that is durable or could not be made.
    ///
    /// That it could not be is told by a metric alone: whoever was refused is told why, and not
    /// that a figure is missing.
    func count(
        _ code: Failure.Code, of model: ModelName, for account: AccountID, at now: Timestamp,
        in store: any Store
    ) async {
        await lanes[Self.lane(of: account)].count(code, of: model, for: account, at: now, in: store)
    }

    /// Which lane an account's refusals take.
    ///
    /// An identifier's last bits are random, so accounts spread.
    static func lane(of account: AccountID) -> Int {
        Int(account.rawValue.magnitude % UInt64(Limits.refusalLanes))
    }

    /// How many refusals wait for a write that has not begun; tests look.
    var waiting: Int { lanes.reduce(0) { $0 + $1.waiting } }
}

/// Counts refusals of some accounts: one write at a time.
private final class RefusalLane: Sendable {
    /// What is one row.
    private struct Kind: Hashable {
        var account: AccountID
        var model: ModelName
        var code: Failure.Code
        var hour: Timestamp

        /// Rows are written in one order everywhere, lest two servers wait for each other.
        var place: (Int64, Int64, String, String) {
            (account.rawValue, hour.milliseconds, model.rawValue, code.rawValue)
        }
    }

    /// What was refused since the write that is under way began.
    private struct Gathered {
        var counts: [Kind: (times: Int64, first: Timestamp)] = [:]
        /// Told once they are counted: false; or, before that, that it is theirs to write: true.
        var waiting: [CheckedContinuation<Bool, Never>] = []

        mutating func add(_ kind: Kind, at now: Timestamp) {
            var count = counts[kind] ?? (times: 0, first: now)
            count.times += 1
            count.first = min(count.first, now)
            counts[kind] = count
        }
    }

    private struct State {
        var isWriting = false
        var gathered = Gathered()
    }

    private let state = Mutex(State())
    private let uncounted = Counter(label: "tollgate_chat_uncounted_refusals_total")

    /// How many wait for a write that has not begun.
    var waiting: Int { state.withLock { $0.gathered.waiting.count } }

    /// Counts a refusal, and returns when that is durable or could not be made.
    func count(
        _ code: Failure.Code, of model: ModelName, for account: AccountID, at now: Timestamp,
        in store: any Store
    ) async {
        let kind = Kind(
            account: account, model: model, code: code,
            hour: RollupResolution.hour.start(of: now))
        let isOursToWrite = await withCheckedContinuation { caller in
            let isFirst = state.withLock { state in
                state.gathered.add(kind, at: now)
                guard state.isWriting else {
                    state.isWriting = true
                    return true
                }
                state.gathered.waiting.append(caller)
                return false
            }
            if isFirst { caller.resume(returning: true) }
        }
        if isOursToWrite { await writeGathered(in: store) }
    }

    private func writeGathered(in store: any Store) async {
        let gathered = state.withLock { state in
            defer { state.gathered = Gathered() }
            return state.gathered
        }
        let rows = gathered.counts.sorted { $0.key.place < $1.key.place }
        for start in stride(from: 0, to: rows.count, by: Limits.refusalRowsOfOneWrite) {
            let part = Array(rows[start..<min(start + Limits.refusalRowsOfOneWrite, rows.count)])
            do {
                try await store.write { tx in
                    for (kind, count) in part {
                        try tx.chat.insertRefusals(
                            count.times, account: kind.account, model: kind.model,
                            code: kind.code, at: count.first)
                    }
                }
            } catch {
                uncounted.increment(by: part.reduce(0) { $0 + $1.value.times })
            }
        }
        // The next write is one of theirs who wait for it: nobody's own answer waits for others'.
        let next = state.withLock { state in
            state.isWriting = !state.gathered.waiting.isEmpty
            return state.isWriting ? state.gathered.waiting.removeFirst() : nil
        }
        next?.resume(returning: true)
        for caller in gathered.waiting { caller.resume(returning: false) }
    }
}
