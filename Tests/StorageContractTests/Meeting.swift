import Application
import Synchronization
import TollgateKernel

/// Where two meet before they go on: neither goes before both are there.
final class Meeting: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let first: Int
    private let state = Mutex(State())

    /// The places are 0 and 1; who has the first one's is woken first.
    init(first: Int) { self.first = first }

    /// Waits for the other, unless they have met.
    func arrive(_ place: Int) async {
        await withCheckedContinuation { continuation in
            let isLast = state.withLock { state in
                state.waiting[place] = continuation
                return state.isOpen || state.waiting.count == 2
            }
            if isLast { open() }
        }
    }

    /// Lets whoever comes or waits go on alone.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for place in [first, 1 - first] { waiting[place]?.resume() }
    }
}

/// A store of which the first write waits until its test's other one is about to begin.
final class MeetingStore: Store {
    private let base: any Store
    private let meeting: Meeting
    private let place: Int

    init(_ base: any Store, _ meeting: Meeting, place: Int) {
        self.base = base
        self.meeting = meeting
        self.place = place
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        await meeting.arrive(place)
        return try await base.write(body)
    }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> {
        await meeting.arrive(place)
        return try await base.begin(body)
    }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try await base.read(freshness, body)
    }
}
