package import Chat
package import TollgateKernel

extension ChatRepository {
    /// Counts one refused question.
    package func insertRefusal(
        account: AccountID, model: ModelName, code: Failure.Code, at now: Timestamp
    ) throws(StoreError) {
        try insertRefusals(1, account: account, model: model, code: code, at: now)
    }
}
