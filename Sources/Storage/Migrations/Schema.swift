/// The whole schema as the sequence of its changes.
enum Schema {
    /// Every migration, by number.
    ///
    /// Landed ones are never edited.
    static let migrations: [Migration] = [
        accounts, orders, ledger, identity, chat, operations, wordChecks, apiKeys, operators,
        loginAttempts, ownKeys, lastMoves, sessionUses, deletion, clockSteps,
        departedTiers, retention, loginCounts, spreadHolds, unpaidOrders,
        refusedOrders, openAskings, departedOrders, channelsInUse,
    ]
}
