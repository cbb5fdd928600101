internal import Accounts
internal import Application
internal import Auth
internal import Chat
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Models and answers on the wire.
struct ChatHandlers: ChatServiceHandlers {
    let caller: CallerIdentity
    let queries: AccountQueries
    let catalogue: Catalogue
    let answerQuestion: AnswerQuestion

    func listModels(_ request: V1.ListModelsRequest, _ context: ServerCallContext) async throws
        -> V1.ListModelsResponse
    {
        let caller = try await caller.caller(of: context)
        let account = caller.account
        let models = try await catalogue.snapshot().models
        let closed = models.filter { !$0.isOpenToAll }.map(\.name)
        let permitted = try await queries.permitted(closed, for: account.id)
        return V1.ListModelsResponse(
            models: models.map { model in
                V1.Model(
                    model, price: model.price.shown(times: account.tier.priceFactor),
                    permitted: account.status == .active
                        && caller.apiKey?.refusal(of: model.name) == nil
                        && (model.isOpenToAll || permitted.contains(model.name)))
            })
    }

    func ask(
        _ request: V1.AskRequest, _ context: ServerCallContext,
        _ responses: ServerStreamWriter<V1.AnswerEvent>
    ) async throws {
        let question = Question(
            caller: try CallerIdentity.credential(of: context), model: request.model,
            turns: try QuestionLimits.messages(from: request.turns.map { ($0.role, $0.content) }),
            maxTokens: request.maxTokens,
            requestID: request.requestId)
        try await answerQuestion.answer(question) { event in
            try await responses.write(V1.AnswerEvent(event))
        }
    }
}

extension V1.Model {
    fileprivate init(_ model: ChatModel, price: ChatPrice, permitted: Bool) {
        self.init(
            name: model.name.rawValue, summary: model.summary,
            pricePerCallMicroCredits: price.perCall.micro,
            pricePerThousandPromptTokensMicroCredits: price.perThousandPromptTokens.micro,
            pricePerThousandCompletionTokensMicroCredits: price
                .perThousandCompletionTokens.micro, maxTokens: model.maxTokens,
            permitted: permitted)
    }
}

extension V1.AnswerEvent {
    fileprivate init(_ event: AnswerEvent) {
        switch event {
        case .started(let model, let source):
            self.init(
                event: .start(V1.AnswerStart(model: model.rawValue, source: source.rawValue)))
        case .delta(let text):
            self.init(event: .delta(text))
        case .finished(let receipt):
            self.init(
                event: .done(
                    V1.AnswerDone(
                        finishReason: receipt.finishReason,
                        promptTokens: receipt.usage.promptTokens,
                        completionTokens: receipt.usage.completionTokens,
                        estimated: receipt.isEstimated,
                        chargedMicroCredits: receipt.charged.micro,
                        balanceMicroCredits: receipt.balance.micro,
                        trialLeftCalls: receipt.trialLeft)))
        case .failed(let failure, let charged):
            self.init(
                event: .error(
                    V1.AnswerError(
                        code: failure.code.rawValue, message: failure.message,
                        chargedMicroCredits: charged.micro)))
        }
    }
}
