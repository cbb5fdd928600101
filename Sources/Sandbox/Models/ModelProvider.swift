internal import Synchronization
internal import TollgateKernel

/// The model provider's state: the channels' switches, kept in the store, and the last calls.
final class ModelProvider: Sendable {
    /// The models it knows.
    let models: [String]
    /// The channels by name.
    let channels: [String: ModelChannel]
    /// The configured pace.
    let tokensPerSecond: Double
    /// The pause before the first token.
    let firstTokenMilliseconds: Int64

    private struct State {
        var switches: [String: ChannelSwitches]
        var calls: [ModelCall] = []
        var lastNumber: Int64 = 0
    }

    private let store: SandboxStore
    private let state: Mutex<State>

    /// Takes the channels' switches from the store where somebody has set them.
    init(_ configuration: SandboxConfiguration.Models, store: SandboxStore) throws {
        models = configuration.names
        tokensPerSecond = configuration.tokensPerSecond
        firstTokenMilliseconds = configuration.firstTokenMilliseconds
        channels = Dictionary(configuration.channels.map { ($0.name, $0) }) { $1 }
        self.store = store
        var switches: [String: ChannelSwitches] = [:]
        for channel in configuration.channels {
            let name = Self.settingName(channel.name)
            switches[channel.name] =
                try store.setting(name, as: ChannelSwitches.self) ?? channel.switches
        }
        state = Mutex(State(switches: switches))
    }

    /// The switches of every channel.
    var allSwitches: [String: ChannelSwitches] { state.withLock { $0.switches } }

    /// The switches of a channel.
    func switches(of channel: String) -> ChannelSwitches {
        state.withLock { $0.switches[channel] ?? ChannelSwitches() }
    }

    /// Sets a channel's switches, for this process and the next.
    func setSwitches(_ switches: ChannelSwitches, of channel: String) async throws {
        try await store.setSetting(Self.settingName(channel), to: switches)
        state.withLock { $0.switches[channel] = switches }
    }

    /// The remembered calls, oldest first.
    var calls: [ModelCall] { state.withLock { $0.calls } }

    /// Notes a call that began; the answer is its number.
    func begin(_ call: ModelCall) -> Int64 {
        state.withLock { state in
            state.lastNumber += 1
            var call = call
            call.number = state.lastNumber
            if state.calls.count == Limits.sandboxRememberedCalls { state.calls.removeFirst() }
            state.calls.append(call)
            return call.number
        }
    }

    /// Notes what became of a call; forgotten calls are left alone.
    func update(_ number: Int64, _ change: (inout ModelCall) -> Void) {
        state.withLock { state in
            guard let index = state.calls.lastIndex(where: { $0.number == number }) else { return }
            change(&state.calls[index])
        }
    }

    private static func settingName(_ channel: String) -> String { "channel:\(channel)" }
}
