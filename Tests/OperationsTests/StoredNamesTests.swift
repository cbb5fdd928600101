import Operations
import Testing

/// These names stand in rows for ever: renaming a case must not rename what is stored.
@Suite("Stored names of operations")
struct StoredNamesTests {
    @Test(
        arguments: [
            (Incident.Kind.amountMismatch, "amount_mismatch"),
            (.duplicatePayment, "duplicate_payment"), (.unknownOrder, "unknown_order"),
            (.undelivered, "undelivered"), (.paidAfterClose, "paid_after_close"),
            (.gatewayMisconfigured, "gateway_misconfigured"),
            (.undeliverableMessage, "undeliverable_message"),
            (.statementMismatch, "statement_mismatch"), (.holdStuck, "hold_stuck"),
        ])
    func incidents(kind: Incident.Kind, name: String) {
        #expect(kind.rawValue == name)
    }

    @Test(
        arguments: [
            (AdminAct.Kind.tierSet, "tier_set"), (.accountTierSet, "account_tier_set"),
            (.accountFrozen, "account_frozen"), (.accountUnfrozen, "account_unfrozen"),
            (.accountSignedOut, "account_signed_out"),
            (.creditsAdjusted, "credits_adjusted"), (.accountDeleted, "account_deleted"),
            (.productSet, "product_set"), (.productWithdrawn, "product_withdrawn"),
            (.modelSet, "model_set"), (.modelWithdrawn, "model_withdrawn"),
            (.channelSet, "channel_set"), (.channelDisabled, "channel_disabled"),
            (.channelEnabled, "channel_enabled"),
        ])
    func acts(kind: AdminAct.Kind, name: String) {
        #expect(kind.rawValue == name)
    }

    @Test(
        arguments: [
            (JobRun.State.running, "running"), (.succeeded, "succeeded"), (.failed, "failed"),
            (.abandoned, "abandoned"),
        ])
    func runs(state: JobRun.State, name: String) {
        #expect(state.rawValue == name)
    }

    @Test(
        arguments: [
            (OutboxMessage.State.waiting, "waiting"), (.sent, "sent"), (.dead, "dead"),
        ])
    func messages(state: OutboxMessage.State, name: String) {
        #expect(state.rawValue == name)
        #expect(OutboxMessage.Kind.creditsArrived.rawValue == "credits_arrived")
    }
}
