import Synchronization
package import Weixin

/// An official account that keeps what it was asked to send, and fails as a test says.
package final class ScriptedMessages: OfficialAccountGateway {
    private struct State {
        var asked: [TemplateMessage] = []
        var failures: [OfficialAccountFailure.Kind] = []
        var scenes: [String] = []
    }

    private let state = Mutex(State())

    /// Makes an account that sends everything.
    package init() {}

    /// Every message it was asked to send, also those that failed.
    package var asked: [TemplateMessage] { state.withLock { $0.asked } }

    /// The scene of every QR code it was asked to make.
    package var scenes: [String] { state.withLock { $0.scenes } }

    /// The next messages or QR codes fail like this, one each.
    package func failNext(_ kinds: [OfficialAccountFailure.Kind]) {
        state.withLock { $0.failures += kinds }
    }

    package func send(_ message: TemplateMessage) async throws(OfficialAccountFailure) {
        let failure = state.withLock { state -> OfficialAccountFailure.Kind? in
            state.asked.append(message)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if let failure { throw OfficialAccountFailure(failure, message: "scripted") }
    }

    package func makeCode(scene: String, lifetimeSeconds: Int64)
        async throws(OfficialAccountFailure) -> SceneCode
    {
        let failure = state.withLock { state -> OfficialAccountFailure.Kind? in
            state.scenes.append(scene)
            return state.failures.isEmpty ? nil : state.failures.removeFirst()
        }
        if let failure { throw OfficialAccountFailure(failure, message: "scripted") }
        return SceneCode(
            ticket: "ticket of \(scene)", url: "http://weixin.test/q/\(scene)",
            lifetimeSeconds: lifetimeSeconds)
    }
}
