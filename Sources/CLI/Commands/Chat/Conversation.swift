import TollgateClient

/// What was said so far, within what the contract lets us send.
struct Conversation: Hashable, Sendable {
    /// The model's name; empty is the operator's default.
    var model: String
    /// The most tokens an answer may have; 0 is the model's own limit.
    let maxTokens: Int64
    /// What the model is told first; may be empty.
    let system: String

    private(set) var turns: [V1.ChatTurn] = []

    init(model: String, maxTokens: Int64, system: String) {
        self.model = model
        self.maxTokens = maxTokens
        self.system = system
    }

    /// The request that asks this next.
    func request(asking question: String, key: String) -> V1.AskRequest {
        var all = turns
        if !system.isEmpty { all.insert(V1.ChatTurn(role: "system", content: system), at: 0) }
        all.append(V1.ChatTurn(role: "user", content: question))
        return V1.AskRequest(model: model, turns: all, maxTokens: maxTokens, requestId: key)
    }

    /// Remembers a question and what was delivered of its answer; the oldest pairs are forgotten
    /// when they would no longer fit into a request.
    mutating func remember(question: String, answer: String) {
        turns.append(V1.ChatTurn(role: "user", content: question))
        turns.append(V1.ChatTurn(role: "assistant", content: answer))
        while turns.count > CommandLimits.turnsRemembered || bytes > CommandLimits.conversationBytes
        {
            turns.removeFirst(2)
        }
    }

    /// Begins anew.
    mutating func forget() { turns = [] }

    private var bytes: Int { turns.reduce(0) { $0 + $1.content.utf8.count } }
}
